"""COMING FROM ELSEWHERE: what another tool exported -> our configuration, and a report on every part of it.

Pure: bytes and an instant in, a configuration and its report out. Nothing is dropped silently.
"""

from incidentd.importing.convert import Imported, convert
from incidentd.importing.document import as_yaml
from incidentd.importing.source import Export, ImportRefused, read
from incidentd.importing.statuspage import ImportedPage, convert_page
from incidentd.importing.statuspage_source import Documents, documents
from incidentd.importing.words import as_json, as_text

__all__ = [
    "Documents",
    "Export",
    "ImportRefused",
    "Imported",
    "ImportedPage",
    "as_json",
    "as_text",
    "as_yaml",
    "convert",
    "convert_page",
    "documents",
    "read",
]
