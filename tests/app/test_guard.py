"""Which requests the server answers, with which headers, and what it takes out of pages."""

import asyncio

import pytest

from motionhub.app.guard import LOOPBACK, Guard


PAGE = (
    b'<html><head><link rel="preconnect" href="https://fonts.googleapis.com" crossorigin="anonymous" />'
    b'<script\n src="https://cdnjs.cloudflare.com/frames.js" async></script><meta property="og:image" '
    b'content="https://raw.githubusercontent.com/x.jpg" /><link rel="stylesheet" href="./theme.css">'
    b'<script src="/own.js"></script></head><a href="https://motionhub.org">home</a></html>'
)


async def page(scope, receive, send):
    kind = b"text/html; charset=utf-8" if scope["path"] == "/" else b"application/json"
    headers = [(b"content-type", kind), (b"content-length", str(len(PAGE)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": PAGE[:40], "more_body": True})
    await send({"type": "http.response.body", "body": PAGE[40:]})


def ask(host: str, path: str = "/", hosts=LOOPBACK, origin: str = "") -> tuple[int, dict[bytes, bytes], bytes]:
    sent = []

    async def send(message):
        sent.append(message)

    headers = [(b"host", host.encode("latin-1"))] + ([(b"origin", origin.encode())] if origin else [])
    scope = {"type": "http", "path": path, "headers": headers}
    asyncio.run(Guard(page, hosts)(scope, None, send))
    body = b"".join(each.get("body", b"") for each in sent)
    return sent[0]["status"], dict(sent[0]["headers"]), body


def test_a_page_has_no_element_of_another_server_and_a_policy_that_allows_none():
    status, headers, body = ask("localhost:7860")
    assert status == 200 and headers[b"content-length"] == str(len(body)).encode()
    for foreign in (b"googleapis", b"cdnjs", b"githubusercontent"):
        assert foreign not in body
    assert body.endswith(b'<link rel="stylesheet" href="./theme.css"><script src="/own.js"></script></head>'
                         b'<a href="https://motionhub.org">home</a></html>')  # fmt: skip
    policy = headers[b"content-security-policy"].decode()
    assert "default-src 'self'" in policy and "http" not in policy and "frame-ancestors 'none'" in policy


def test_other_answers_are_passed_on_unchanged():
    assert ask("127.0.0.1", "/data")[2] == PAGE


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "", "evil@localhost.example", "[::bad"])
def test_a_request_by_another_name_of_this_machine_is_refused(host):
    status, _, body = ask(host)
    assert status == 403 and b"127.0.0.1" in body


def test_a_space_answers_for_any_name_and_may_be_framed():
    status, headers, _ = ask("owner-name.hf.space", hosts=None)
    assert status == 200 and b"frame-ancestors" not in headers[b"content-security-policy"]


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://localhost:1", "https://localhost.evil.example"]
)
def test_a_page_of_another_site_is_refused(origin):
    status, _, body = ask("localhost:7860", "/gradio_api/upload", origin=origin)
    assert status == 403 and b"other sites" in body


def test_its_own_page_is_answered():
    assert ask("localhost:7860", "/gradio_api/upload", origin="http://localhost:7860")[0] == 200


@pytest.mark.parametrize(
    "path", ["/gradio_api/file=http://a.example/x", "/file=HTTPS://a.example", "/proxy=/http://a"]
)
@pytest.mark.parametrize("hosts", [LOOPBACK, None])
def test_the_server_fetches_nothing_from_another_one(path, hosts):
    status, _, body = ask("localhost", path, hosts)
    assert status == 403 and b"not fetched" in body
