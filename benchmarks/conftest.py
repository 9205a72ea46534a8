"""Prints the comparisons after the benchmarks."""


def label(params):
    """Return the model's name, after the method that is timed if there are several."""
    return ", ".join(params[key] for key in ("method", "name") if key in params)


def print_kernels(terminalreporter, benchmarks):
    """Print the time of a run of each kernel, and of the same by others."""
    times = {}
    for benchmark in benchmarks:
        info = benchmark.extra_info
        if "side" in info:
            case = times.setdefault((info["kernel"], info["size"]), {})
            case[info["side"]] = benchmark["median"] / info["runs"]
    if not times:
        return
    sides = ["kernel", "NumPy", "pymdp.legacy", "pymdp 1.x"]
    terminalreporter.section("medians of a run, in us")
    terminalreporter.write_line(f"{'kernel':<24}{'size':>8}" + "".join(f"{s:>14}" for s in sides))
    for (name, size), case in times.items():
        line = "".join(f"{case[s] * 1e6:>14,.3f}" if s in case else f"{'-':>14}" for s in sides)
        terminalreporter.write_line(f"{name:<24}{size:>8,}{line}")


def pytest_terminal_summary(terminalreporter, config):
    session = getattr(config, "_benchmarksession", None)
    print_kernels(terminalreporter, getattr(session, "benchmarks", ()))
    rows = [b for b in getattr(session, "benchmarks", ()) if "ratio" in b.extra_info]
    if not rows:
        return
    write = terminalreporter.write_line
    terminalreporter.section("medians, against pymdp.legacy side by side")
    write(f"{'model':<46}{'ours':>12}{'pymdp.legacy':>15}{'ratio':>10}{'target':>10}{'rounds':>8}")
    for benchmark in rows:
        info = benchmark.extra_info
        target = f"{info['target']:,}" if info["target"] else "-"
        write(
            f"{label(benchmark.params):<46}{info['ours_us']:>9,.1f} us"
            f"{info['pymdp_legacy_us'] / 1e3:>12,.3f} ms{info['ratio']:>10,.0f}{target:>10}"
            f"{info['rounds']:>8}"
        )
