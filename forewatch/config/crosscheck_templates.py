"""Cross-checks of the Jinja2 templates of `json` sources: each is read once, as it will be when alerts come."""

from __future__ import annotations

from collections.abc import Iterator

from forewatch.config.sources import Source
from forewatch.config.spots import Problem, Spot


def bad_templates(source: Source, spot: Spot) -> Iterator[Problem]:
    """A problem at each text that is no template; `spot` is the source's."""
    if source.json_ is None:
        return
    # Jinja2 is loaded by those alone who need it.
    from forewatch.intake.sources.json_mapping import compiled

    mapping, place = source.json_, spot.at("json")
    texts = [(text, place.at("labels", name)) for name, text in mapping.labels.items()]
    texts += [(text, place.at("annotations", name)) for name, text in mapping.annotations.items()]
    texts += [(mapping.resolved, place.at("resolved")), (mapping.starts_at, place.at("starts_at"))]
    for text, at in texts:
        try:
            compiled(text)
        except ValueError as error:
            yield at.problem(f"{at.quote()} is not a template" if at.expanded else str(error))
    if "alertname" not in mapping.labels:
        yield place.at("labels").problem(
            'needs alertname, by which alerts are known (try alertname: "{{ body.title }}")'
        )
