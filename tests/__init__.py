"""The suite mirrors the package, folder by folder; `acceptance` holds what only the whole daemon can show."""
