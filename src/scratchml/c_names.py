"""Names that a model can have in C."""

from __future__ import annotations

import re

from scratchml.errors import ScratchmlError

#: Words that C, C++, their headers or the generated file itself have another use for, in any case:
#: the name is a file's and, in capitals, a macro's.
RESERVED = re.compile(
    "(sml_|scratchml|layer[0-9]|u?int|std).*|.*_t|layers|features|kernel|main|"
    "null|softmax|softmax_table|and|asm|auto|bool|break|case|catch|char|class|const|continue|default|delete|do|double|else|"
    "enum|explicit|export|extern|false|float|for|friend|goto|if|inline|long|mutable|namespace|new|"
    "not|operator|or|private|protected|public|register|restrict|return|short|signed|sizeof|static|"
    "struct|switch|template|this|throw|true|try|typedef|typename|union|unsigned|using|virtual|void|"
    "volatile|while|xor|errno|math|string|time|assert",
    re.IGNORECASE,
)


def check_name(name: str) -> None:
    """Raise ScratchmlError unless ``is_free_name``."""
    if not is_free_name(name):
        raise ScratchmlError(
            f"{name!r} cannot name a C variable: use letters, digits and underscores, "
            "no word of C or C++ and nothing that begins with sml, layer1, int or std"
        )


def is_free_name(name: str) -> bool:
    """Whether ``name`` is an identifier that C and the generated file leave free."""
    return bool(re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name)) and not RESERVED.fullmatch(name)
