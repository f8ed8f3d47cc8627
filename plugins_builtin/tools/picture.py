"""A picture of the folder, seen by the model that sees pictures: the conversation gets its words, which cost little."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from agentic import AgenticError, ImagePart, Message, TextPart, ToolError, ToolOutput, ToolSetup, ToolSpec, Workspace
from agentic.lib.mentions import IMAGES, MAX_IMAGE_BYTES


class ViewPicture:
    spec = ToolSpec(
        "view_picture",
        "Answers a question about a picture file: a screenshot, a diagram, a plot.",
        {
            "type": "object",
            "properties": {"path": {"type": "string"}, "question": {"type": "string"}},
            "required": ["path", "question"],
            "additionalProperties": False,
        },
        "read",
    )

    def __init__(self, setup: ToolSetup) -> None:
        """In the prompt where `[llm.roles.vision]` says who sees pictures."""
        sees = setup.settings.role("vision")
        self.spec = replace(ViewPicture.spec, opt_in=not (sees.model or sees.endpoint))
        self._llm = setup.sees

    async def run(self, arguments: Mapping[str, Any], workspace: Workspace) -> ToolOutput:
        path = arguments["path"]
        kind = IMAGES.get(Path(path).suffix.lower())
        if kind is None:
            raise ToolError(f"{path} is no picture; these are: {', '.join(IMAGES)}")
        picture = ImagePart(workspace.current(path, MAX_IMAGE_BYTES).data, kind)
        try:
            said = await self._llm.complete([Message("user", (TextPart(arguments["question"]), picture))])
        except AgenticError as error:
            raise ToolError(f"no model here could see {path}: {error}") from error
        return ToolOutput(said.strip() or "(the model that sees pictures said nothing)")
