"""Prints the comparisons with pymdp.legacy after the benchmarks."""


def pytest_terminal_summary(terminalreporter, config):
    session = getattr(config, "_benchmarksession", None)
    rows = [b for b in getattr(session, "benchmarks", ()) if "ratio" in b.extra_info]
    if not rows:
        return
    write = terminalreporter.write_line
    terminalreporter.section("median step, against pymdp.legacy side by side")
    write(f"{'model':<36}{'ours':>12}{'pymdp.legacy':>15}{'ratio':>10}{'target':>10}{'rounds':>8}")
    for benchmark in rows:
        info = benchmark.extra_info
        target = f"{info['target']:,}" if info["target"] else "-"
        write(
            f"{benchmark.params['name']:<36}{info['ours_us']:>9,.1f} us"
            f"{info['pymdp_legacy_us'] / 1e3:>12,.2f} ms{info['ratio']:>10,.0f}{target:>10}"
            f"{info['rounds']:>8}"
        )
