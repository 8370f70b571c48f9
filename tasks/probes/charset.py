"""The text of a body, as a browser reads it.

A byte order mark says the encoding, else the `Content-Type`, else the document itself: an XML declaration, or of HTML a
meta tag in the first 1,024 bytes (WHATWG, "determining the character encoding"). Otherwise it is UTF-8, as JSON always
is (RFC 8259, 8.1).
"""

from __future__ import annotations

import codecs
import re
from email.message import Message

_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_LOOKED_AT = 1024
_COMMENT = re.compile(rb"<!--.*?(?:-->|\Z)", re.DOTALL)
_META = re.compile(rb"<meta\b[^>]*?\bcharset\s*=\s*[\"']?\s*([^\s\"'/>;]+)", re.IGNORECASE)
_DECLARED = re.compile(rb"\A<\?xml\b[^>]*?\bencoding\s*=\s*[\"']([^\"']+)")
_WINDOWS = {"ascii", "iso8859-1"}
"""What the web means windows-1252 by (WHATWG Encoding, 4.2)."""


def text_of(body: bytes, content_type: str | None) -> str:
    """The text of a body, without its mark; what cannot be read becomes U+FFFD."""
    for mark, encoding in _MARKS:
        if body.startswith(mark):
            return body[len(mark) :].decode(encoding, errors="replace")
    kind, charset = _said(content_type)
    candidates = [charset]
    if "html" in kind or "xml" in kind or not kind:
        candidates.append(_in_document(body[:_LOOKED_AT]))
    for name in candidates:
        text = _decoded(body, name)
        if text is not None:
            return text
    return body.decode(errors="replace")


def _said(content_type: str | None) -> tuple[str, str]:
    """Kind and charset of a `Content-Type`, either of which may be empty."""
    message = Message()
    message["Content-Type"] = (content_type or "").replace("\r", " ").replace("\n", " ")
    charset = message.get_param("charset", "")
    kind = (content_type or "").partition(";")[0].strip().lower()
    return kind, charset.strip(" '\"") if isinstance(charset, str) else ""


def _in_document(begin: bytes) -> str:
    declared = _DECLARED.search(begin)
    found = declared or _META.search(_COMMENT.sub(b"", begin))
    name = found[1].decode("ascii", errors="replace").lower() if found else ""
    # Were it UTF-16, these bytes could not have been read.
    return "utf-8" if name.startswith("utf-16") else name


def _decoded(body: bytes, name: str) -> str | None:
    """None where there is no such encoding of text."""
    try:
        encoding = codecs.lookup(name).name
        return body.decode("cp1252" if encoding in _WINDOWS else encoding, errors="replace")
    except (LookupError, ValueError):
        return None
