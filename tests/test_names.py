"""Names that become parts of file names."""

from __future__ import annotations

import pytest

from triglot.files import InputError
from triglot.names import check_name


@pytest.mark.parametrize("name", ["xquad-r", "dev2.1", "模型", "a b", "x" * 120, "~x", "_"])
def test_usual_names_pass(name: str) -> None:
    assert check_name("benchmark", name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        ".",
        "..",
        "../x",
        "/x",
        "a/b",
        "a\\b",
        "c:x",
        "a\nb",
        "a\0b",
        "-x",
        ".x",
        "x" * 121,
        "\ud800",
        "a\u202eb",
        3,
        None,
        ["a"],
    ],
)
def test_what_could_leave_the_folder_is_refused_where_it_is_read(name: object) -> None:
    with pytest.raises(InputError, match=r"^recipe\.yaml:3: .*benchmark"):
        check_name("benchmark", name, "recipe.yaml:3")
