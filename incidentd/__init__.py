"""incidentd: alerts in, durable incidents, the right people told. Holds the version and nothing else."""

__version__ = "0.1.0"
