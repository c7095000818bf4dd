#!/usr/bin/env python3
"""Relay with 100 header_checks and 100 body_checks, none of which matches, beside Postfix. Needs root, postfix, postfix-pcre.

usage: FACTEUR=target/release/facteur SUITE=DIR benches/patterns.py [--runs 2] [--messages 3000] [--types none,pcre,regexp]

SUITE is the folder of the comparison suite (benchlib.py). The message has nine fields and 10 KB of words; 20 sessions hand it
in, and a sink takes it. Told is the processor time of all the server's processes for a message.
"""
import argparse, os, random, statistics, subprocess, sys, tempfile

sys.path.insert(0, os.environ.get("SUITE") or sys.exit("set SUITE to the folder of benchlib.py"))
import benchlib as b

WORDS = ("the of and to in for is on that by this with you it not or be are from at as your all have new more an was we will home "
         "can us about if page my has search free but our one other do no information time they site he up may what which their").split()

SIZE = 10240


def patterns():
    """As sites have them: words in Subject, domains in From and Received, file names; links, two words in a row."""
    r = random.Random(7)
    word = lambda: "".join(r.choice("bcdfghklmnprstvz") + r.choice("aeiou") for _ in range(r.randint(2, 4)))
    header = ["/^Subject:.*\\b%s %s\\b/" % (word(), word()) for _ in range(40)]
    header += ["/^From:.*@([a-z0-9-]+\\.)*%s\\.(com|net|biz)/" % word() for _ in range(30)]
    header += ["/^Received:.*%s\\.example/" % word() for _ in range(15)]
    header += ["/name=[^>]*%s\\.(bat|com|exe|pif|scr|vbs)/" % word() for _ in range(15)]
    body = ["/https?:\\/\\/(www\\.)?%s\\.(com|net|info)\\//" % word() for _ in range(50)]
    body += ["/%s +(now|today|here) +%s/" % (word(), word()) for _ in range(30)]
    body += ["/^(%s|%s) %s$/" % (word(), word(), word()) for _ in range(20)]
    return [[p + " REJECT no %d\n" % n for n, p in enumerate(all)] for all in (header, body)]


def message():
    r = random.Random(11)
    text = ("Received: from a.far.test (a.far.test [192.0.2.7])\r\n\tby b.far.test with ESMTP id 4ABC; Thu, 01 Jan 2026 00:00:00 +0000\r\n"
            "Received: from c.far.test by a.far.test; Thu, 01 Jan 2026 00:00:00 +0000\r\nFrom: Joe <joe@far.test>\r\n"
            "To: Ann <ann@dest.test>\r\nSubject: what we said about the new page\r\nDate: Thu, 01 Jan 2026 00:00:00 +0000\r\n"
            "Message-Id: <1@far.test>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n")
    while len(text) < SIZE:
        text += " ".join(r.choice(WORDS) for _ in range(11)) + "\r\n"
    return text


def send(count, file):
    subprocess.run(["smtp-source", "-4", "-f", "joe@far.test", "-t", "ann@dest.test", "-m", str(count), "-s", "20", "-F", file,
                    "127.0.0.1:%d" % b.P_SMTP], check=True, stdout=subprocess.DEVNULL)


def run(sut, kind, file, count):
    main = {}
    folder = tempfile.mkdtemp(prefix="patterns.")
    os.chmod(folder, 0o755)
    if kind != "none":
        for name, lines in zip(("header_checks", "body_checks"), patterns()):
            path = os.path.join(folder, name)
            with open(path, "w") as f:
                # In regexp(5) there is no \b.
                f.writelines(line if kind == "pcre" else line.replace("\\b", "") for line in lines)
            os.utime(path, (1, 1))
            main[name] = "%s:%s" % (kind, path)
    server = {"postfix": b.PostfixSut, "facteur": b.FacteurSut}[sut](main=main)
    sink = b.Sink()
    try:
        server.start()
        send(100, file)
        if not sink.wait(100):
            raise SystemExit("the first messages did not arrive")
        before, base = server.cpu(), sink.count()
        send(count, file)
        if not sink.wait(base + count):
            raise SystemExit("not all messages arrived")
        after = server.cpu()
        return (after[0] - before[0] + after[1] - before[1]) * 1000 / count
    finally:
        server.stop()
        server.destroy()
        sink.stop()


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--runs", type=int, default=2)
    ap.add_argument("--messages", type=int, default=3000)
    ap.add_argument("--types", default="none,pcre,regexp")
    a = ap.parse_args()
    with tempfile.NamedTemporaryFile("w", suffix=".eml", newline="") as f:
        # smtp-source ends lines by itself.
        f.write(message().replace("\r\n", "\n"))
        f.flush()
        for kind in a.types.split(","):
            ms = {"postfix": [], "facteur": []}
            for _ in range(a.runs):
                for sut in ms:
                    ms[sut].append(run(sut, kind, f.name, a.messages))
            ours, theirs = statistics.median(ms["facteur"]), statistics.median(ms["postfix"])
            print("%-7s CPU ms a message: Postfix %s, Facteur %s: 1/%.1f" % (
                kind, ", ".join("%.2f" % x for x in ms["postfix"]), ", ".join("%.2f" % x for x in ms["facteur"]), theirs / ours), flush=True)


main()
