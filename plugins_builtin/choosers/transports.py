"""The first transport that answers. Endpoints that the user named are meant: nothing else is asked then."""

import asyncio
from collections.abc import Mapping

from agentic import AgenticError, ConfigError, Provider, RequestRejected, Settings, Transport, TransportProvider
from agentic.errors import none_answered
from agentic.hooks.transport import TransportChoice

SECONDS = 1.0  # an endpoint that takes longer does not answer


async def choose(setup: TransportChoice) -> tuple[str, str]:
    """Raises EndpointUnavailable. What comes after the first takes a word of the user's."""
    failures: dict[str, AgenticError] = {}
    named = setup.settings.origins["llm.endpoints"] != "default"
    for name in setup.automatic:
        if failures and not await setup.confirm(_question(failures, setup.offers[name], setup.settings)):
            break
        transport: Transport = setup.provider(name)
        if named:
            return name, ""
        silent = await _silent_endpoints(transport)
        if len(silent) < len(transport.endpoints):
            return name, f"{name}: nothing answered at {', '.join(failures)}" if failures else ""
        failures |= silent
        await transport.aclose()
    raise none_answered(failures)


def _question(failures: Mapping[str, AgenticError], provider: Provider[Transport], settings: Settings) -> str:
    cost = provider.cost(settings) if isinstance(provider, TransportProvider) and provider.cost else ""
    what = f"{provider.summary}; {cost}" if cost else provider.summary
    return f"Nothing answers at {' or '.join(failures)}. Use {provider.name} instead ({what})?"


async def _silent_endpoints(transport: Transport) -> dict[str, AgenticError]:
    """Why each endpoint that gave no answer gave none; one that answers is enough to stop asking.

    Raises RequestRejected where the only ones that answered refused (a wrong key, an unknown model): silence is another matter.
    """
    rejected: RequestRejected | None = None
    silent: dict[str, AgenticError] = {}
    for endpoint in transport.endpoints:
        try:
            async with asyncio.timeout(SECONDS):
                await transport.probe(endpoint)
        except TimeoutError:
            silent[endpoint] = AgenticError(f"no answer within {SECONDS:g} s")
        except ConfigError:
            raise
        except RequestRejected as error:
            silent[endpoint] = rejected = error
        except AgenticError as error:
            silent[endpoint] = error
        else:
            return silent
    if rejected is not None:
        raise rejected
    return silent
