"""A real Slurm on this one machine: munge, controller and node daemon from Debian's packages, in a temporary folder."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import psutil

from tests.processes import kill_with_descendants

DAEMONS = ("munged", "slurmctld", "slurmd", "sbatch")
CONFIGURATION = """ClusterName=tireid
SlurmctldHost={host}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
ReturnToService=2
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmdSpoolDir={folder}/spool
StateSaveLocation={folder}/state
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmdTimeout=10
SchedulerType=sched/builtin
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
NodeName={host} CPUs={cpus} RealMemory={memory} State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def why_not() -> str:
    """What keeps a cluster from being started here; empty if nothing does."""
    missing = [name for name in DAEMONS if shutil.which(name) is None and not Path("/usr/sbin", name).exists()]
    if missing:
        return f"no {', '.join(missing)}: apt-get install slurm-wlm munge"
    return "" if os.geteuid() == 0 else "Slurm's daemons need root"


class Cluster:
    """One controller, one node; a context manager that leaves nothing running."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.host = socket.gethostname()
        self.environment = os.environ | {"SLURM_CONF": str(folder / "slurm.conf")}

    def __enter__(self) -> Cluster:
        for name in ("spool", "state"):
            (self.folder / name).mkdir(parents=True)
        content = CONFIGURATION.format(
            host=self.host, folder=self.folder, ports=_free_ports(2), cpus=psutil.cpu_count(),
            memory=psutil.virtual_memory().total // 2**20 // 2,
        )  # fmt: skip
        (self.folder / "slurm.conf").write_text(content)
        self._start_munge()
        self._run("slurmctld")
        self.start_node()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill_node()
        for process in psutil.process_iter(["name", "environ", "cmdline"]):
            ours = str(self.folder) in " ".join(process.info["cmdline"] or [])
            ours |= (process.info["environ"] or {}).get("SLURM_CONF") == self.environment["SLURM_CONF"]
            if ours and process.info["name"] in ("slurmctld", "munged"):
                process.kill()

    def start_node(self) -> None:
        """Start the node daemon and wait until the controller may use it."""
        self._run("slurmd", "-N", self.host)
        for _ in range(60):
            if self.state() in ("idle", "mixed", "allocated"):
                return
            time.sleep(0.5)
        log = (self.folder / "slurmd.log").read_text()[-2000:]
        raise RuntimeError(f"the node stays {self.state()!r}; the end of its log:\n{log}")

    def kill_node(self) -> None:
        """As when its power fails: the daemon and everything that it started die at once."""
        victims = []
        for process in psutil.process_iter(["name", "environ"]):
            if (process.info["environ"] or {}).get("SLURM_CONF") != self.environment["SLURM_CONF"]:
                continue
            if process.info["name"] in ("slurmd", "slurmstepd") or "SLURM_JOB_ID" in process.info["environ"]:
                victims.append(process)
        kill_with_descendants(victims)

    def state(self) -> str:
        """Of the node, in Slurm's words."""
        asked = subprocess.run(
            ["sinfo", "--noheader", "--format=%T"], env=self.environment, capture_output=True, text=True, check=False
        )
        return asked.stdout.strip().rstrip("*")

    def _start_munge(self) -> None:
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        socket_file, log = self.folder / "munge.socket", self.folder / "munge.log"
        options = ["--key-file", key, "--socket", socket_file, "--log-file", log]
        options += ["--pid-file", self.folder / "munge.pid", "--seed-file", self.folder / "munge.seed"]
        self._run("munged", "--force", *map(str, options))
        for _ in range(50):
            if socket_file.exists():
                return
            time.sleep(0.1)
        raise RuntimeError(f"munged did not start: {log.read_text()[-1000:]}")

    def _run(self, daemon: str, *options: str) -> None:
        path = shutil.which(daemon) or f"/usr/sbin/{daemon}"
        subprocess.run([path, *options], env=self.environment, check=True, capture_output=True)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in sockets]
    for server in sockets:
        server.close()
    return ports
