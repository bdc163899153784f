"""What all JSON of the operator plane has in common; the OpenAPI description is made from these models."""

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """A frozen JSON object; unknown fields are refused, as they are most often misspelt ones."""

    model_config = ConfigDict(frozen=True, extra="forbid")
