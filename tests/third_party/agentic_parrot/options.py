"""The third party's own settings, as a pydantic model."""

from pydantic import BaseModel, ConfigDict


class ParrotOptions(BaseModel):
    model_config = ConfigDict(extra="forbid")
    word: str = "polly"
