"""A server whose SQLite was busy for a moment is asked again within milliseconds."""

from __future__ import annotations

import httpx
import pytest
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings

from forewatch.orchestration import prefect_private
from forewatch.orchestration.retry_at_once import DELAYS, RetryAtOnce

pytestmark = pytest.mark.unit


def server(*answers: httpx.Response) -> tuple[httpx.AsyncClient, list[httpx.Request]]:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return answers[min(len(asked), len(answers)) - 1]

    return httpx.AsyncClient(transport=RetryAtOnce(httpx.MockTransport(answer)), base_url="http://prefect"), asked


async def test_a_busy_moment_is_not_noticed() -> None:
    client, asked = server(httpx.Response(503), httpx.Response(503), httpx.Response(201))
    assert (await client.post("/flow_runs", json={"name": "respond"})).status_code == 201
    assert [request.content for request in asked] == [b'{"name":"respond"}'] * 3


async def test_a_server_that_stays_busy_is_left_to_the_clients_own_patience() -> None:
    client, asked = server(httpx.Response(503))
    assert (await client.get("/")).status_code == 503
    assert len(asked) == len(DELAYS) + 1


@pytest.mark.parametrize(
    "answer", [httpx.Response(500), httpx.Response(200), httpx.Response(503, headers={"Retry-After": "5"})]
)
async def test_any_other_answer_is_handed_on(answer: httpx.Response) -> None:
    client, asked = server(answer)
    assert (await client.get("/")).status_code == answer.status_code
    assert len(asked) == 1


async def test_prefects_client_takes_the_transport() -> None:
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:1/api"}):
        client = get_client()
    prefect_private.retry_at_once(client)
    assert isinstance(client._client._transport, RetryAtOnce)
    prefect_private.retry_at_once(client)
    assert not isinstance(client._client._transport._inner, RetryAtOnce)
