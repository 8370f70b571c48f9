"""The objects of the API, as its OpenAPI document shows them to people and tools."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

Labels = dict[str, str]


class Receiver(BaseModel):
    name: str


class AlertStatus(BaseModel):
    state: Literal["unprocessed", "active", "suppressed"]
    silencedBy: list[str]
    inhibitedBy: list[str]
    mutedBy: list[str]


class PostableAlert(BaseModel):
    labels: Labels
    annotations: Labels = Field(default_factory=dict)
    startsAt: str = ""
    endsAt: str = ""
    generatorURL: str = ""


class GettableAlert(BaseModel):
    labels: Labels
    annotations: Labels
    startsAt: str
    endsAt: str
    updatedAt: str
    generatorURL: str
    fingerprint: str
    receivers: list[Receiver]
    status: AlertStatus


class AlertGroup(BaseModel):
    labels: Labels
    receiver: Receiver
    alerts: list[GettableAlert]


class MatcherShape(BaseModel):
    name: str
    value: str
    isRegex: bool
    isEqual: bool = True


class PostableSilence(BaseModel):
    id: str = ""
    matchers: list[MatcherShape]
    startsAt: str
    endsAt: str
    createdBy: str
    comment: str
    annotations: Labels = Field(default_factory=dict)


class SilenceStatus(BaseModel):
    state: Literal["pending", "active", "expired"]


class GettableSilence(BaseModel):
    id: str
    matchers: list[MatcherShape]
    startsAt: str
    endsAt: str
    updatedAt: str
    createdBy: str
    comment: str
    annotations: Labels
    status: SilenceStatus


class SilenceId(BaseModel):
    silenceID: str


class ClusterStatus(BaseModel):
    name: str
    status: Literal["ready", "settling", "disabled"]
    peers: list[dict[str, str]]


class Status(BaseModel):
    cluster: ClusterStatus
    versionInfo: dict[str, str]
    config: dict[str, str]
    uptime: str


class Said(BaseModel):
    code: int
    message: str
