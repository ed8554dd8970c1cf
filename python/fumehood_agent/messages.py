"""JSON through the C half of the `json` module: its Python half would take a quarter of the agent's start and memory, in every sandbox."""

try:
    from _json import encode_basestring_ascii, make_encoder, make_scanner

    class _Plain:
        strict = True
        object_hook = object_pairs_hook = None
        parse_float, parse_int, parse_constant = float, int, float

    _scan = make_scanner(_Plain)
    _chunks = make_encoder(None, None, encode_basestring_ascii, None, ":", ",", False, False, False)

    def encode(value):
        return "".join(_chunks(value, 0)).encode()

    def decode(data):
        text = data.decode()
        try:
            value, end = _scan(text, 0)
        except StopIteration:
            end = -1
        if end != len(text):
            raise ValueError("not one JSON value")
        return value

except (ImportError, TypeError):  # a Python that is built otherwise
    import json

    def encode(value):
        return json.dumps(value).encode()

    decode = json.loads
