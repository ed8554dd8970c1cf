"""The tests run against a real control plane: FUMEHOOD_HOME names its home, FUMEHOOD_TEST_ENGINEER and FUMEHOOD_TEST_OFFICER are tokens."""

import os

import pytest

from fumehood import Fumehood, Sandbox


@pytest.fixture(scope="session")
def engineer():
    """The client of an engineer; the one without arguments is the operator's."""
    os.environ["FUMEHOOD_TOKEN"] = os.environ["FUMEHOOD_TEST_ENGINEER"]
    client = Fumehood()
    yield client
    client._transport.close()


@pytest.fixture(scope="session")
def officer():
    return Fumehood(token=os.environ["FUMEHOOD_TEST_OFFICER"])


@pytest.fixture(scope="session")
def operator():
    token = (open(os.path.join(os.environ["FUMEHOOD_HOME"], "operator.token")).read()).strip()
    return Fumehood(token=token)


@pytest.fixture(scope="session")
def sandbox(engineer):
    with Sandbox.create(name="sdk", memory="256m", ttl="10m", purpose="test") as made:
        yield made
