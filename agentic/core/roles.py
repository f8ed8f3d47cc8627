"""A model for each role: the main work, small questions, sub-agents, pictures."""

from dataclasses import replace

from agentic.config import Settings
from agentic.config.schema import ROLES, EndpointSettings
from agentic.types import ChatRequest

MAIN, SMALL, SUB_AGENT, VISION = ROLES


def with_roles(settings: Settings) -> Settings:
    """The settings with what `llm.roles.main` says in `llm`, and the endpoints of all roles among the endpoints."""
    main = settings.role(MAIN)
    settings = settings.changed("llm.model", main.model, "llm.roles.main") if main.model else settings
    settings = settings.changed("llm.reasoning_effort", main.effort, "llm.roles.main") if main.effort else settings
    urls = list(settings.llm.endpoints)
    roles = [settings.role(name) for name in ROLES]
    more = {role.endpoint: EndpointSettings(url=role.endpoint, model=role.model) for role in roles if role.endpoint}
    tables = [settings.llm.of(url) for url in urls] + [table for url, table in more.items() if url not in urls]
    if main.endpoint:
        tables.sort(key=lambda table: table.url != main.endpoint)
    if [table.url for table in tables] == urls:
        return settings
    return settings.changed("llm.endpoint", tables, "llm.roles")


def in_its_role(request: ChatRequest, settings: Settings) -> ChatRequest:
    """The request with the endpoint, the model and the effort of its role, where one is set; else it is the main model's."""
    role = settings.role(request.role or MAIN)
    if request.role in ("", MAIN) or not (role.endpoint or role.model or role.effort):
        return replace(request, role="")
    return replace(request, endpoint=role.endpoint, model=role.model, effort=role.effort or request.effort)
