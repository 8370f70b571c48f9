import pytest

from forewatch.alerting.alert import Alert
from forewatch.alerting.notification import Notification
from forewatch.clock import FakeClock

NOW = FakeClock().now()


@pytest.fixture
def a_notification():
    def make(id="NT-1", **changed):
        fields = {
            "id": id,
            "incident_id": "INC-7",
            "alert_id": None,
            "run_id": None,
            "kind": "page",
            "severity": "critical",
            "notifier": "hook",
            "state": "due",
            "not_before": NOW,
            "content": {
                "title": "storefront does not answer",
                "text": "Storefront does not answer. AL-1 fires.",
                "service": "storefront",
                "alert": {"labels": {"alertname": "CheckFailing", "service": "storefront"}, "annotations": {}},
                "reason": "No remedy is set for it.",
                "runbook": None,
            },
            "created_at": NOW,
            "attempts": 1,
        }
        return Notification(**{**fields, **changed})

    return make


@pytest.fixture
def an_alert():
    return Alert(
        id="AL-1",
        fingerprint="507a62d79ee76c9a",
        labels={"alertname": "CheckFailing", "service": "storefront", "severity": "critical"},
        annotations={"summary": "storefront does not answer"},
        service="storefront",
        severity="critical",
        status="firing",
        starts_at=NOW,
        ends_at=None,
        updated_at=NOW,
        incident_id="INC-7",
    )
