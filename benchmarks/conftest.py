"""Prints the comparisons with pymdp.legacy after the benchmarks."""


def label(params):
    """Return the model's name, after the method that is timed if there are several."""
    return ", ".join(params[key] for key in ("method", "name") if key in params)


def pytest_terminal_summary(terminalreporter, config):
    session = getattr(config, "_benchmarksession", None)
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
