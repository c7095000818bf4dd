#!/usr/bin/env python3
"""Look-ups in MariaDB beside Postfix's proxymap, and logins beside mail. Needs root, mariadb-server, postfix, postfix-mysql.

usage: FACTEUR=target/release/facteur benches/databases.py [--rows 100000] [--keys 20000] [--clients 4] [--logins 20000]

Both servers are asked by `postmap -q - proxy:mysql:...` from several processes at once, start-up included: Postfix's
through a running proxymap, ours through its own pool. Logins come over 8 connections of the authentication protocol,
several under way on each, while one client hands in mail and times the reply to it.
"""
import argparse, base64, os, random, resource, shutil, socket, statistics, subprocess, tempfile, threading, time

FACTEUR = os.path.abspath(os.environ.get("FACTEUR", "target/release/facteur"))
DAEMONS = "/usr/lib/postfix/sbin"


def wait(what, look):
    end = time.monotonic() + 60
    while not look():
        if time.monotonic() > end:
            raise SystemExit("waited too long for " + what)
        time.sleep(0.05)


def write(path, text):
    with open(path, "w") as f:
        f.write(text)


def mariadb(d, rows):
    data, sock = d + "/data", d + "/mysql"
    shutil.chown(d, "mysql")
    subprocess.run(["mariadb-install-db", "--no-defaults", "--datadir=" + data, "--user=mysql", "--skip-test-db",
                    "--auth-root-authentication-method=normal"], check=True, stdout=subprocess.DEVNULL)
    server = subprocess.Popen(["mariadbd", "--no-defaults", "--user=mysql", "--datadir=" + data, "--socket=" + sock,
                               "--skip-networking", "--innodb-flush-log-at-trx-commit=2"], stderr=subprocess.DEVNULL)
    client = ["mariadb", "--no-defaults", "--socket=" + sock, "-u", "root"]
    wait("MariaDB", lambda: subprocess.run(client + ["-e", "SELECT 1"], capture_output=True).returncode == 0)
    sql = "CREATE DATABASE mail; USE mail; CREATE TABLE t (k VARCHAR(100) PRIMARY KEY, v VARCHAR(100));\n"
    for start in range(0, rows, 1000):
        values = ",".join("('user%d@x.test','box%d@y.test')" % (i, i) for i in range(start, min(start + 1000, rows)))
        sql += "INSERT INTO t VALUES %s;\n" % values
    sql += "CREATE USER mail@localhost IDENTIFIED BY 'bench'; GRANT ALL ON mail.* TO mail@localhost;"
    subprocess.run(client, input=sql.encode(), check=True)
    return server, sock


def tables(d, a):
    server, sock = mariadb(d, a.rows)
    conf = d + "/conf"
    os.mkdir(conf)
    table = "mysql:%s/t.cf" % conf
    write(conf + "/t.cf", "hosts = unix:%s\nuser = mail\npassword = bench\ndbname = mail\n"
          "query = SELECT v FROM t WHERE k = '%%s'\n" % sock)
    queue = d + "/queue"
    for name in ("", "/pid", "/private", "/public", "/lib", "/../state"):
        os.makedirs(queue + name, exist_ok=True)
    shutil.chown(queue + "/private", "postfix")
    shutil.chown(d + "/state", "postfix")
    write(conf + "/main.cf", "compatibility_level = 3.6\nqueue_directory = %s\ndata_directory = %s/state\n"
          "proxy_read_maps = proxy:%s\n" % (queue, d, table))
    write(conf + "/master.cf", "proxymap unix - - n - - proxymap\n")
    rnd = random.Random(5)
    keys = []
    for n in range(a.clients):
        keys.append(d + "/keys%d" % n)
        write(keys[-1], "".join("user%d@x.test\n" % rnd.randrange(2 * a.rows) for _ in range(a.keys)))
    # It closes every descriptor that it might have.
    limit = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 4096))
    master = subprocess.Popen([DAEMONS + "/master", "-c", conf, "-s"], start_new_session=True, preexec_fn=limit,
                              stderr=subprocess.DEVNULL)
    try:
        wait("proxymap", lambda: os.path.exists(queue + "/private/proxymap"))
        found = {}
        for run in range(a.runs):
            for name, postmap in (("Postfix", ["postmap"]), ("Facteur", [FACTEUR, "postmap"])):
                start, cpu = time.perf_counter(), os.times()
                asked = [subprocess.Popen(postmap + ["-c", conf, "-q", "-", "proxy:" + table], stdin=open(k),
                                          stdout=subprocess.PIPE) for k in keys]
                hits = [0] * len(asked)

                def read(n):
                    hits[n] = asked[n].stdout.read().count(b"\n")
                readers = [threading.Thread(target=read, args=(n,)) for n in range(len(asked))]
                [r.start() for r in readers]
                [r.join() for r in readers]
                [p.wait() for p in asked]
                rate = a.clients * a.keys / (time.perf_counter() - start)
                found.setdefault(name, []).append(rate)
                print("run %d %-8s %9.0f look-ups/s (%d found)" % (run + 1, name, rate, sum(hits)), flush=True)
        ours, theirs = (statistics.median(found[n]) for n in ("Facteur", "Postfix"))
        print("median: Facteur %.0f, Postfix %.0f look-ups/s, ratio %.2f" % (ours, theirs, ours / theirs))
    finally:
        master.terminate()
        server.terminate()
        master.wait(30)
        server.wait(60)


def login(path, count, under_way):
    """Logs in `count` times over one connection; every tenth password is wrong."""
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(60)
    s.connect(path)
    f = s.makefile("rb")
    s.sendall(b"VERSION\t1\t1\nCPID\t%d\n" % (os.getpid() * 100 + threading.get_ident() % 100))
    while f.readline() != b"DONE\n":
        pass
    sent = got = 0
    while got < count:
        batch = b""
        while sent < count and sent - got < under_way:
            sent += 1
            word = b"wrong" if sent % 10 == 0 else b"secret"
            message = base64.b64encode(b"\0user%d\0" % (sent % 1000) + word)
            batch += b"AUTH\t%d\tPLAIN\tservice=smtp\trip=192.0.2.%d\tsecured\tresp=%s\n" % (sent, sent % 250, message)
        if batch:
            s.sendall(batch)
        line = f.readline()
        if not line.startswith((b"OK\t", b"FAIL\t")):
            raise SystemExit("unexpected answer: %r" % line)
        got += 1


def mail(port, stop, times):
    """Hands in one message after the other, and times the reply to each."""
    while not stop.is_set():
        start = time.perf_counter()
        s = socket.create_connection(("127.0.0.1", port), 60)
        f = s.makefile("rb")
        for line in (None, b"HELO x.test", b"MAIL FROM:<a@x.test>", b"RCPT TO:<b@x.test>", b"DATA", b"Subject: x\r\n\r\nx\r\n.", b"QUIT"):
            if line:
                s.sendall(line + b"\r\n")
            if not f.readline().startswith((b"2", b"3")):
                raise SystemExit("mail was refused")
        s.close()
        times.append(time.perf_counter() - start)
        time.sleep(0.01)


def logins(d, a):
    conf, port = d + "/auth", 22525
    os.mkdir(conf)
    write(conf + "/users", "".join("user%d:{SHA256}K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols=\n" % n for n in range(1000)))
    write(conf + "/main.cf", "compatibility_level = 3.6\nqueue_directory = %s/aq\ndata_directory = %s/ad\nmaillog_file = %s/alog\n"
          "maillog_file_prefixes = %s\nmyhostname = x.test\nmydestination = x.test\nlocal_recipient_maps =\nalias_maps =\n"
          "transport_maps = static:discard:\nmynetworks = 127.0.0.0/8\nauth_failure_delay = 0\nsmtpd_peername_lookup = no\n"
          "passdb = passwd-file:%s/users\nuserdb = static:uid=1\n" % (d, d, d, d, conf))
    write(conf + "/master.cf", "127.0.0.1:%d inet n - n - - smtpd\nlogin unix n - n - - auth\ncleanup unix n - n - 0 cleanup\n"
          "qmgr unix n - n 300 1 qmgr\nbounce unix - - n - 0 bounce\ndiscard unix - - n - - discard\n" % port)
    server = subprocess.Popen([FACTEUR, "postfix", "-c", conf, "start-fg"], stderr=subprocess.DEVNULL)
    path = d + "/aq/public/login"
    try:
        wait("facteur", lambda: os.path.exists(path) and socket.socket().connect_ex(("127.0.0.1", port)) == 0)
        for busy in (False, True):
            stop, times = threading.Event(), []
            mailer = threading.Thread(target=mail, args=(port, stop, times))
            mailer.start()
            start = time.perf_counter()
            if busy:
                workers = [threading.Thread(target=login, args=(path, a.logins // 8, 16)) for _ in range(8)]
                [w.start() for w in workers]
                [w.join() for w in workers]
                took = time.perf_counter() - start
                print("%.0f logins/s ({SHA256}, one in ten wrong)" % (a.logins // 8 * 8 / took))
            else:
                time.sleep(5)
            stop.set()
            mailer.join()
            times.sort()
            print("mail %s logins: %d messages, median %.1f ms, 99 of 100 below %.1f ms"
                  % ("beside" if busy else "without", len(times), statistics.median(times) * 1e3, times[len(times) * 99 // 100] * 1e3))
    finally:
        server.terminate()
        server.wait(30)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--rows", type=int, default=100000)
    ap.add_argument("--keys", type=int, default=20000)
    ap.add_argument("--clients", type=int, default=4)
    ap.add_argument("--runs", type=int, default=3)
    ap.add_argument("--logins", type=int, default=20000)
    a = ap.parse_args()
    d = tempfile.mkdtemp(prefix="facteur-bench-")
    os.chmod(d, 0o755)
    try:
        tables(d, a)
        shutil.chown(d, "root")
        logins(d, a)
    finally:
        shutil.rmtree(d, True)


main()
