"""`flownexus read`, `write` and the others, through the api and the gateway to a simulated device."""

from __future__ import annotations

from pathlib import Path

from flownexus_local.connection import read_connection
from harness.lockstep import CON, CONTENT_FORMAT, POST, TLV, URI_PATH, LockstepDevice, datagram, uint
from harness.waiting import blocking_until
from integration.local.conftest import NODE, Run

SILO = """<LWM2M><Object ObjectType="MODefinition"><Name>Silo</Name><ObjectID>26241</ObjectID>
<ObjectURN>urn:oma:lwm2m:x:26241</ObjectURN><MultipleInstances>Multiple</MultipleInstances>
<Mandatory>Optional</Mandatory><Resources><Item ID="1"><Name>Fill</Name><Operations>R</Operations>
<MultipleInstances>Single</MultipleInstances><Mandatory>Mandatory</Mandatory><Type>Float</Type></Item></Resources>
</Object></LWM2M>"""


def test_devices_and_models_are_reached_from_the_command_line(run: Run, tmp_path: Path) -> None:
    read = run("read", NODE, "3/0/1")
    assert (read.returncode, read.stdout) == (0, '3/0/1 = "simulated device"\n'), read.stderr
    both = run("read", NODE, "3/0/0", "3303/0/5701")
    assert set(both.stdout.splitlines()) == {'3/0/0 = "Flow Nexus"', '3303/0/5701 = "Cel"'}

    assert run("write", NODE, "3/0/15", "Europe/Zurich").stdout == "2.04\n"
    assert run("write", NODE, "1/0/2", "3").stdout == "2.04\n"
    assert run("read", NODE, "1/0/2").stdout == "1/0/2 = 3\n"
    unfit = run("write", NODE, "1/0/2", "-x")
    assert unfit.returncode == 2
    assert "1/0/2: the value is a whole number" in unfit.stderr

    assert "</3303/0/5700>" in run("discover", NODE, "3303").stdout
    assert run("observe", NODE, "6/0").returncode == 0
    assert run("observe", NODE, "6/0", "--cancel").returncode == 0

    with LockstepDevice(read_connection(tmp_path).coap_port, "silo-1") as silo:
        silo.register("</26241/0>")
        options = [(URI_PATH, b"dp"), (CONTENT_FORMAT, uint(TLV))]
        silo.exchange(datagram(CON, POST, next(silo.message_ids), b"s", options, b'[{"n":"/3303/0/5700","v":21.5}]'))
    blocking_until(lambda: "silo-1" in run("undecoded", "list").stdout, 10, "the report that has another format")
    listed = run("undecoded", "list", "--endpoint", "silo-1").stdout
    report = listed.split()[0]
    assert "31 bytes, format 11542: " in listed
    assert run("undecoded", "show", report).stdout.startswith("5b 7b 22 6e")
    assert run("undecoded", "retry").stdout == "0 decoded, 1 left\n"
    refused = run("undecoded", "retry", report)
    assert (refused.returncode, "still cannot be decoded" in refused.stderr) == (2, True)
    assert run("undecoded", "dismiss", report).stdout == f"{report} dismissed\n"
    blocking_until(lambda: run("undecoded", "list").stdout == "", 10, "the report dismissed")
    assert "(dismissed)" in run("undecoded", "list", "--all").stdout
    assert run("undecoded", "retry", report, "--format", "110").stdout == "3303/0/5700 float\n"
    blocking_until(lambda: "(decoded)" in run("undecoded", "list", "--all").stdout, 10, "the report decoded")
    assert run("dead-letters", "list").stdout == ""
    assert "no dead letter 7" in run("dead-letters", "retry", "7").stderr
    unknown = "26241 (no model), listed by 1\n"
    blocking_until(lambda: run("model", "unknown").stdout == unknown, 10, "the unknown object in the list")
    (tmp_path / "silo.xml").write_text(SILO)
    assert run("model", "add", "silo.xml").stdout == "26241 1.0 Silo\n"
    uploaded = "26241 1.0 Silo (uploaded)\n"
    blocking_until(lambda: uploaded in run("model", "list").stdout, 10, "the model in the list")
    assert run("model", "unknown").stdout == ""
    kept = run("model", "remove", "3", "1.0")
    assert kept.returncode == 2
    assert "part of the installation" in kept.stderr
    assert run("model", "remove", "26241", "1.0").stdout == "26241 1.0 Silo removed\n"
    blocking_until(lambda: "26241" not in run("model", "list").stdout, 10, "the model gone from the list")

    refused = run("execute", NODE, "5/0/2")
    assert refused.returncode == 1
    assert "4.05" in refused.stderr
    assert run("execute", NODE, "3/0/4").stdout == "2.04\n"
