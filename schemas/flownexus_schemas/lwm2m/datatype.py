"""The data types of resources."""

from enum import StrEnum


class DataType(StrEnum):
    """LwM2M Core 1.1.1, appendix C. The value of each member is its name on the bus and in the API."""

    STRING = "string"
    INTEGER = "integer"
    UNSIGNED = "unsigned"
    FLOAT = "float"
    BOOLEAN = "boolean"
    OPAQUE = "opaque"
    TIME = "time"
    OBJLNK = "objlnk"
    CORELNK = "corelnk"
