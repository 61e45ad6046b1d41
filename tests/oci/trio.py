"""Three containers as a compose file would have them: PostgreSQL with a memory limit, a user and a password from a file; a client on a private
bridge with it; and one on another bridge, which must not reach it. The image is made of Debian's packages."""
import os
import pathlib
import re
import shutil
import subprocess

import engines
import oci
from engines import docker, missing
from oci import WORK, eventually, test, want

SERVER = """
set -e
test "$(id -u)" = 999
initdb -D /data/db -U app --pwfile=/run/secrets/password -A scram-sha-256 --no-locale -E UTF8 > /tmp/initdb.log 2>&1 || cat /tmp/initdb.log
echo 'host all all all scram-sha-256' >> /data/db/pg_hba.conf
exec postgres -D /data/db -c 'listen_addresses=*' -c unix_socket_directories=/tmp -c shared_buffers=32MB
"""
CLIENT = """
export PGPASSWORD=$(cat /run/secrets/password)
psql -X -At -h db -U app -d postgres -c "create table t (id int primary key, name text)" \
    -c "insert into t select i, 'name ' || i from generate_series(1, 5000) i" -c "select count(*), sum(id), max(name) from t" \
    -c "select current_user, inet_server_port()"
PGPASSWORD=wrong psql -X -h db -U app -d postgres -c 'select 1' 2>&1 | grep -o 'password authentication failed'
"""


def programs():
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


def libraries_of(paths):
    out = subprocess.run(["ldd", *map(str, paths)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout.decode()
    return sorted(set(re.findall(r"(/\S+) \(0x", out)))


def copy(path, root):
    target = root / str(path).lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(path, target)


def make_root(bin_directory, root):
    oci.make_rootfs(root)
    version = bin_directory.parent
    for tree in (version, pathlib.Path("/usr/share/postgresql") / version.name, pathlib.Path("/usr/share/zoneinfo")):
        shutil.copytree(tree, root / str(tree).lstrip("/"), symlinks=True)
    modules = list((version / "lib").glob("*.so"))
    # What only its optional parts need is not copied.
    wanted = [version / "bin" / name for name in ("postgres", "initdb", "psql", "pg_isready")]
    for library in libraries_of(wanted + [module for module in modules if "llvm" not in module.name]):
        copy(library, root)
    with (root / "etc/passwd").open("a") as file:
        file.write("postgres:x:999:999:postgres:/data:/bin/sh\n")
    (root / "etc/group").write_text((root / "etc/group").read_text() + "postgres:x:999:\n")
    (root / "etc/nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files dns\n")
    (root / "data").mkdir()
    os.chown(root / "data", 999, 999)


def use_image(bin_directory):
    engines.use_docker()
    root = WORK / "postgres"
    make_root(bin_directory, root)
    with subprocess.Popen(["tar", "-C", str(root), "-c", "."], stdout=subprocess.PIPE) as tar:
        done = subprocess.run(["docker", "import", "--change", "ENV PATH=%s:/usr/bin:/bin" % bin_directory, "--change", "ENV LC_ALL=C", "-", "t/postgres"],
                              stdin=tar.stdout, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=engines.DOCKER_ENV, check=False)
    want(done.returncode == 0, done.stdout)
    shutil.rmtree(root)


def facts_of(runtime, secret):
    options = ["--runtime", runtime]
    share = ["-v", "%s:/run/secrets/password:ro" % secret]
    docker("rm", "-f", "db")
    for network in ("front", "back"):
        docker("network", "rm", network)
        want(docker("network", "create", network).status == 0, "network create", network)
    done = docker("run", "-d", *options, "--name", "db", "--network", "back", "--memory", "256m", "--user", "999:999", *share, "t/postgres", "sh", "-c", SERVER)
    want(done.status == 0, done)

    def ready():
        return docker("run", "--rm", *options, "--network", "back", "t/postgres", "pg_isready", "-q", "-h", "db", timeout=60).status == 0
    try:
        eventually(ready, "the server", 60)
    except oci.Failed as late:
        raise oci.Failed("%s: %s" % (late, docker("logs", "db").err[-1500:])) from late
    client = docker("run", "--rm", *options, "--network", "back", *share, "t/postgres", "sh", "-c", CLIENT, timeout=60)
    address = docker("inspect", "-f", "{{.NetworkSettings.Networks.back.IPAddress}}", "db").out.strip()
    stranger = docker("run", "--rm", *options, "--network", "front", "t/postgres", "sh", "-c",
                      "pg_isready -q -t 2 -h %s; echo $?; pg_isready -q -t 2 -h db; echo $?" % address, timeout=60)
    limit = docker("inspect", "-f", "{{.HostConfig.Memory}}", "db").out.strip()
    used = docker("stats", "--no-stream", "--format", "{{.MemUsage}}", "db").out.split("/")[-1].strip()
    written = docker("exec", "db", "sh", "-c", "id -u; ls -ld /data/db | cut -c1-10; cat /run/secrets/password 2>&1; echo x 2>/dev/null > /run/secrets/password || echo kept")
    stopped = docker("stop", "-t", "20", "db", timeout=60)
    log = docker("logs", "db").err
    facts = [(client.status, client.out), stranger.out, limit, used, written.out, stopped.status,
             docker("inspect", "-f", "{{.State.ExitCode}} {{.State.OOMKilled}}", "db").out, "database system is shut down" in log]
    docker("rm", "-f", "db")
    for network in ("front", "back"):
        docker("network", "rm", network)
    return facts


@test(core=False)
def docker_postgres_and_two_clients():
    bin_directory = programs()
    reason = missing("dockerd", "docker", "containerd", "runc", "iptables") or (None if bin_directory else "no PostgreSQL")
    if reason:
        return reason
    use_image(bin_directory)
    secret = WORK / "password"
    secret.write_text("not to be guessed\n")
    secret.chmod(0o644)
    facts = {runtime: facts_of(runtime, secret) for runtime in engines.RUNTIMES}
    for ours, theirs in zip(facts["sentry"], facts["runc"]):
        want(ours == theirs, "\nsentry:", ours, "\nrunc:  ", theirs)
    good = facts["runc"]
    want("5000|12502500|name 999" in good[0][1] and "authentication failed" in good[0][1], good)
    want("0" not in good[1].split() and good[4].endswith("kept\n"), good)
    return None
