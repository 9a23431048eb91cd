"""The part of a status about the endpoint that models share: the members of a group, and how far a canary is."""

from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

_IN_CAMEL_CASE: Final = ConfigDict(alias_generator=to_camel)


@dataclass(frozen=True, slots=True)
class CanaryStatus:
    """How far a canary is; the controller goes on from here."""

    __pydantic_config__ = _IN_CAMEL_CASE

    revision: Annotated[str | None, Field(description="Identifies what is tried: the model server and the steps.")] = None
    phase: Annotated[str | None, Field(description="Progressing, Promoted or Stopped.")] = None
    step: Annotated[int | None, Field(description="Number of the step, from 1.")] = None
    percent: Annotated[int | None, Field(description="Share of the group's requests in this step, in percent.")] = None
    reason: Annotated[str | None, Field(description="Reason of the condition CanaryProgressing.")] = None
    message: Annotated[str | None, Field(description="Figures of the step that has ended last.")] = None
    promotion: Annotated[
        int | None,
        Field(description="Number of its promotion in the group: of several promoted canaries, the last one gets the requests."),
    ] = None


@dataclass(frozen=True, slots=True)
class GroupMemberStatus:
    """A member of a group."""

    __pydantic_config__ = _IN_CAMEL_CASE

    kind: Annotated[str | None, Field(description="Workspace or InferenceSet.")] = None
    name: Annotated[str | None, Field(description="Name of the member.")] = None
    weight: Annotated[int | None, Field(description="Weight that the member wants; none for a fallback and for a canary.")] = None
    current: Annotated[int | None, Field(description="Weight that the member has in the route now, among those of the others.")] = (
        None
    )
    fallback: Annotated[bool | None, Field(description="Whether the member gets requests only while no other one is ready.")] = None
    ready: Annotated[bool | None, Field(description="Whether requests to the member are answered.")] = None


@dataclass(frozen=True, slots=True)
class GroupStatus:
    """The endpoint that the model shares with others."""

    __pydantic_config__ = _IN_CAMEL_CASE

    name: Annotated[str | None, Field(description="Name of the group, which is that of its HTTPRoute.")] = None
    url: Annotated[str | None, Field(description="Base URL of the group; append /v1/chat/completions.")] = None
    members: Annotated[tuple[GroupMemberStatus, ...], Field(description="The members, the oldest first.")] = ()
    canary: Annotated[CanaryStatus | None, Field(description="How far the canary is, if this member is one.")] = None
