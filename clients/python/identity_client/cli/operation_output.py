"""Writes the results of an operation to standard output as they are handed out."""

from __future__ import annotations

from identity_client.cli.operation_memory import Outlets
from identity_client.cli.outcome import Outcome
from identity_client.cli.results import result_document, say_altered_cells, show_results, show_secrets_of
from identity_client.cli.sealing import show_sealed
from identity_client.cli.session import Session

_ROWS = 100


class OperationOutput:
    """A document for one user, lines for many; for people tables of a hundred users each."""

    def __init__(self, session: Session, outlets: Outlets, *, one: bool) -> None:
        """Take where to write, what is wanted there, and whether it is about one user only."""
        self._session = session
        self._outlets = outlets
        self._one = one
        self._rows: list[Outcome] = []

    def show(self, outcome: Outcome) -> None:
        """Write what became of a user."""
        csv = str(self._outlets.places.csv)
        say_altered_cells(self._session, csv, outcome.user.name, outcome.altered_cells)
        if self._session.as_json:
            document = result_document(outcome)
            if self._one:
                self._session.write_json({"users": [document]})
            else:
                self._session.write_json_line(document)
            return
        self._show_to_people(outcome)

    def _show_to_people(self, outcome: Outcome) -> None:
        if outcome.response is not None:
            credentials = outcome.response.credentials
            if credentials.sealed_secrets and self._outlets.sealed_out is None:
                show_sealed(self._session, credentials)
            if self._outlets.show_secrets and not credentials.sealed_secrets:
                show_secrets_of(self._session.results, outcome)
        self._rows.append(outcome)
        if len(self._rows) == _ROWS:
            self.flush()

    def flush(self) -> None:
        """Write the table of what was shown since the last one."""
        rows, self._rows = self._rows, []
        if rows:
            show_results(self._session.results, rows, csv=str(self._outlets.places.csv or ""))
