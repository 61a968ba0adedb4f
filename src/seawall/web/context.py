"""What endpoints find in the application's state, with its types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request

from seawall.model.user import Role
from seawall.web.auth import Identity, Sessions, SignIn
from seawall.web.figures import Figures
from seawall.web.live import LiveHub
from seawall.web.problems import Problem
from seawall.web.rendering import Pages
from seawall.web.services import Services
from seawall.web.static_files import StaticFiles


@dataclass(frozen=True, slots=True)
class WebContext:
    """The parts that one application is made of."""

    services: Services
    sessions: Sessions
    sign_in: SignIn
    hub: LiveHub
    figures: Figures
    pages: Pages
    static: StaticFiles


def context_of(request: Request) -> WebContext:
    """Return the parts of the application that serves a request."""
    return cast(WebContext, request.app.state.context)


def identity_of(request: Request) -> Identity:
    """Return who asks; the gate has seen to it that somebody does.

    Raises:
        Problem: nobody is signed in.
    """
    identity = cast(Identity | None, request.state.identity)
    if identity is None:
        raise Problem(401, reference="not-signed-in")
    return identity


def operator_of(request: Request) -> Identity:
    """Return who asks, if they may give orders.

    Raises:
        Problem: nobody is signed in, or a viewer.
    """
    identity = identity_of(request)
    if not identity.role.includes(Role.OPERATOR):
        raise Problem(403, "this takes the role operator", reference="not-allowed")
    return identity


def address_of(request: Request) -> str:
    """Return the address that a request comes from."""
    return request.client.host if request.client else ""


Context = Annotated[WebContext, Depends(context_of)]
SignedInIdentity = Annotated[Identity, Depends(identity_of)]
OperatorIdentity = Annotated[Identity, Depends(operator_of)]
