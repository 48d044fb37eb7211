import base64
import json

import pytest

from solovirt.api.core.configmap import ConfigMap
from solovirt.api.meta import ObjectMeta
from solovirt.kit.errors import BadRequest, Expired
from solovirt.server.continuation import MAX_AGE, MAX_LISTS, Snapshots

SCOPE = ("configmaps", "default", "", "")


def maps(count: int) -> list[ConfigMap]:
    return [ConfigMap(metadata=ObjectMeta(name=f"m{index}")) for index in range(count)]


def test_a_short_list_holds_nothing() -> None:
    page = Snapshots().first(SCOPE, maps(3), 9, 3)
    assert (len(page.objects), page.token, page.remaining, page.revision) == (3, "", None, 9)


def test_pages_cover_the_list_once() -> None:
    snapshots = Snapshots()
    page = snapshots.first(SCOPE, maps(7), 9, 3)
    names = [obj.metadata.name for obj in page.objects]
    remaining = [page.remaining]
    while page.token:
        page = snapshots.next(SCOPE, page.token, 3)
        names += [obj.metadata.name for obj in page.objects]
        remaining.append(page.remaining)
        assert page.revision == 9
    assert names == [f"m{index}" for index in range(7)]
    assert remaining == [4, 1, None]


def test_a_page_may_be_asked_again_and_without_limit() -> None:
    snapshots = Snapshots()
    token = snapshots.first(SCOPE, maps(5), 9, 2).token
    assert snapshots.next(SCOPE, token, 2) == snapshots.next(SCOPE, token, 2)
    assert len(snapshots.next(SCOPE, token, 0).objects) == 3


def test_old_lists_expire() -> None:
    now = [0.0]
    snapshots = Snapshots(lambda: now[0])
    token = snapshots.first(SCOPE, maps(5), 9, 2).token
    now[0] = MAX_AGE + 1
    with pytest.raises(Expired, match="too old to display a consistent list"):
        snapshots.next(SCOPE, token, 2)


def test_only_the_newest_lists_are_held() -> None:
    snapshots = Snapshots()
    tokens = [snapshots.first(SCOPE, maps(5), 9, 2).token for _ in range(MAX_LISTS + 1)]
    with pytest.raises(Expired):
        snapshots.next(SCOPE, tokens[0], 2)
    assert snapshots.next(SCOPE, tokens[1], 2).objects


def forged(**fields: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(fields).encode()).decode()


@pytest.mark.parametrize("token", ["%%%", "x", forged(v="1"), forged(v="meta.k8s.io/v1", rv="x", id="y", at=1), "e30"])
def test_bad_tokens(token: str) -> None:
    with pytest.raises(BadRequest, match="continue key is not valid"):
        Snapshots().next(SCOPE, token, 2)


def test_a_token_belongs_to_its_list() -> None:
    snapshots = Snapshots()
    token = snapshots.first(SCOPE, maps(5), 9, 2).token
    with pytest.raises(BadRequest, match="another list"):
        snapshots.next(("secrets", "default", "", ""), token, 2)
    identity = json.loads(base64.urlsafe_b64decode(token + "=="))["id"]
    for at in (-1, 0, 6):
        with pytest.raises(BadRequest, match="another list"):
            snapshots.next(SCOPE, forged(v="meta.k8s.io/v1", rv=9, id=identity, at=at), 2)
