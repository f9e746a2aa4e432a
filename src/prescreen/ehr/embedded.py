"""The channel to the embedded record: the same steps as to any other server, without a wire between."""

from prescreen.ehr.desk import FhirDesk
from prescreen.ehr.fhir_client import RecordChannel


class EmbeddedChannel(RecordChannel):
    """Delivers to a desk in this process."""

    name = "embedded"

    def __init__(self, desk: FhirDesk) -> None:
        super().__init__(desk)
