"""What the pages have typed besides ``./traffic``: it exists, and a test runs it, or it is said here why none does."""

import importlib.util
import re
import zipfile
from pathlib import Path

import pytest

from smartcity.settings import ROOT
from tests.docs.test_commands import PAGES
from tests.test_env_example import SHOWN

BLOCKS = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
MODULE = re.compile(r"(?:python|\"\$python\") -m ([a-z_.]+)((?:[^\n`]|\\\n)*)")
CLASS = re.compile(r"\borg\.apache\.[a-z.]+\.[A-Z]\w+")

#: Module -> the test that runs it, its pieces on real services included; or why none does.
MODULES = {
    "benchmarks.batch_plot": "draws a measured file; none is kept here",
    "benchmarks.batch_skew": "measures for an hour; the jobs it runs are run by spark_jobs/test_pipeline.py",
    "expectations": "expectations/test_raw_gate.py",
    "smartcity.rules": "docs/test_rules_page.py",
    "streaming.stream": "integration/test_stream.py",
}
#: First word of a line in a block of shell commands -> the test that runs it; or why none does.
PROGRAMS = {
    "$SPARK_HOME/bin/spark-class": "integration/test_cluster.py",
    ".venv/bin/lint-imports": "test_import_contracts.py",
    ".venv/bin/mypy": "a check of its own beside the tests",
    ".venv/bin/pre-commit": "needs a package that is not among ours",
    ".venv/bin/ruff": "a check of its own beside the tests",
    "curl": "api/test_pages_commands.py",
    "docker": "test_compose.py",
    "export": "sets variables, which the test below looks up",
    "java": "integration/test_cluster.py",
    "python=$PWD/.venv/bin/python": "sets a variable of the shell",
}


def lines(page: Path) -> list[str]:
    """Commands in a page's blocks, continued lines in one, quoted text that goes over lines in one."""
    text = "\n".join(BLOCKS.findall(page.read_text())).replace("\\\n", " ")
    text = re.sub(r"'[^']*'", lambda quoted: quoted[0].replace("\n", " "), text)
    return [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_programs_are_run_by_a_test_or_it_is_said_why_not(page: Path) -> None:
    for line in lines(page):
        program = line.split()[0].replace('"', "")
        assert program == "./traffic" or program in PROGRAMS, line


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_and_their_options_exist(page: Path) -> None:
    for name, rest in MODULE.findall(page.read_text()):
        if not (ROOT / name.partition(".")[0]).is_dir():
            continue
        assert name in MODULES, f"say which test runs {name}, or why none does"
        found = importlib.util.find_spec(f"{name}.__main__" if (ROOT / name).is_dir() else name)
        assert found is not None and found.origin is not None, name
        for option in re.findall(r"--[a-z-]+", re.split(r"\s[|>#]", rest)[0]):
            assert f'"{option}"' in Path(found.origin).read_text(), f"{name} {option}"


def test_the_tests_named_above_are_there() -> None:
    for file in {*MODULES.values(), *PROGRAMS.values()}:
        assert " " in file or (ROOT / "tests" / file).is_file(), file


def test_java_classes_are_in_sparks_own_archives() -> None:
    spark = importlib.util.find_spec("pyspark")
    assert spark is not None and spark.origin is not None
    jars = [
        jar for kind in ("spark-core", "zookeeper-") for jar in (Path(spark.origin).parent / "jars").glob(f"{kind}*")
    ]
    known = {name for jar in jars for name in zipfile.ZipFile(jar).namelist()}
    named = {name for page in PAGES for line in lines(page) for name in CLASS.findall(line)}
    assert len(named) >= 3
    for name in named:
        assert f"{name.replace('.', '/')}.class" in known, name


def test_variables_set_on_the_pages_are_settings() -> None:
    named = {name for page in PAGES for name in re.findall(r"\b(TRAFFIC_[A-Z0-9_]+)=", page.read_text())}
    assert named and named <= set(SHOWN)
