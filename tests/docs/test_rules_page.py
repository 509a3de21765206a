"""The page of the rules is what the rules say."""

from smartcity.city import City
from smartcity.rules import page, probe_rules, trip_rules
from smartcity.settings import ROOT


def test_the_page_shows_every_rule_as_it_is() -> None:
    found = (ROOT / "docs" / "rules.md").read_text()
    assert found == page(City()), "make it anew: python -m smartcity.rules > docs/rules.md"
    rules = (*trip_rules(City()).rules, *probe_rules(City()).rules)
    assert all(f"| `{rule.name}` | `{rule.broken}` |" in found and rule.why in found for rule in rules)
