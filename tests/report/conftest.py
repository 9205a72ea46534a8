"""A report of a small model, made once for all tests of reports."""

import json

import pytest
import short_reports

from freeagent_core.report import rendering


@pytest.fixture(scope="session")
def document():
    return short_reports.make()


@pytest.fixture(scope="session")
def files(document):
    return rendering.render(document, "report")


@pytest.fixture(scope="session")
def report(files):
    return json.loads(files["report.json"])
