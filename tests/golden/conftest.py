"""``pytest tests/golden --update-golden`` writes the files anew; read the difference before use."""

from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "programs"


def pytest_addoption(parser):
    parser.addoption("--update-golden", action="store_true", help="write tests/golden/ anew")


@pytest.fixture
def golden(request):
    """Compare text with the file of this name, or write it where --update-golden is given."""

    def compare(name, text):
        path = FOLDER / name
        if request.config.getoption("--update-golden", default=False):
            FOLDER.mkdir(exist_ok=True)
            path.write_text(text)
        assert path.exists(), f"{path} is missing; run pytest tests/golden --update-golden"
        assert text == path.read_text()

    return compare
