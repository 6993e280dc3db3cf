"""Object models that come and go while a service runs."""

from __future__ import annotations

from flownexus_runtime.live_models import LiveObjectModels, model_key
from flownexus_schemas import objects
from flownexus_schemas.lwm2m.path import Path

SILO = (
    "<LWM2M><Object ObjectType='MODefinition'><Name>Silo</Name><Description1/><ObjectID>26241</ObjectID>"
    "<ObjectURN>urn:oma:lwm2m:x:26241</ObjectURN><LWM2MVersion>1.0</LWM2MVersion><ObjectVersion>{version}</ObjectVersion>"
    "<MultipleInstances>Multiple</MultipleInstances><Mandatory>Optional</Mandatory><Resources><Item ID='1'>"
    "<Name>{name}</Name><Operations>R</Operations><MultipleInstances>Single</MultipleInstances>"
    "<Mandatory>Mandatory</Mandatory><Type>Float</Type><RangeEnumeration/><Units>%</Units><Description/></Item>"
    "</Resources></Object></LWM2M>"
)
FILL = Path(26241, 0, 1)


def silo(version: str, name: str) -> bytes:
    return SILO.format(version=version, name=name).encode()


def name_of(models: LiveObjectModels, version: str) -> str | None:
    found = models.resource(FILL, {26241: version})
    return found.name if found else None


def test_versions_come_side_by_side_are_replaced_and_go() -> None:
    models, changes = LiveObjectModels(objects.load()), []
    models.on_change = lambda: changes.append(len(models))
    before = len(models)
    assert name_of(models, "1.0") is None
    models.apply("26241.1.0", silo("1.0", "Fill"), 1)
    models.apply("26241.2.0", silo("2.0", "Level"), 2)
    assert (name_of(models, "1.0"), name_of(models, "2.0")) == ("Fill", "Level")
    models.apply("26241.1.0", silo("1.0", "Filling"), 3)
    assert name_of(models, "1.0") == "Filling"
    models.apply("26241.2.0", None, 4)
    assert name_of(models, "2.0") == "Filling"
    assert changes == [before + 1, before + 2, before + 2, before + 1]
    assert [model_key(model) for model in models if models.is_uploaded(model)] == ["26241.1.0"]


def test_what_cannot_be_read_changes_nothing() -> None:
    models = LiveObjectModels(objects.load())
    models.apply("26241.1.0", silo("1.0", "Fill"), 1)
    models.apply("26241.1.0", b"<LWM2M>", 2)
    models.apply("3303.1.0", silo("1.0", "Fill"), 3)
    assert name_of(models, "1.0") == "Fill"
    first = objects.load().object(3303)
    assert models.object(3303) == first


def test_one_of_ours_comes_back_when_the_uploaded_one_goes() -> None:
    models = LiveObjectModels(objects.load())
    ours = models.object(3303)
    assert ours is not None
    key = model_key(ours)
    xml = silo(ours.version, "Other").replace(b"26241", b"3303")
    models.apply(key, xml, 1)
    assert models.object(3303, ours.version) != ours
    models.apply(key, None, 2)
    assert models.object(3303, ours.version) == ours
