"""Which services have other remedies than before, so that what fires there is asked anew."""

from __future__ import annotations

from forewatch.config.models import Config


def changed_remedies(before: Config, after: Config) -> list[str]:
    """The services of `after` whose remedies differ from those of `before`, new services with remedies among them."""
    known = {service.name: service.remedies for service in before.services}
    return [service.name for service in after.services if service.remedies != known.get(service.name, [])]
