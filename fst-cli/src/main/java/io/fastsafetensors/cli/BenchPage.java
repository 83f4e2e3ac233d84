package io.fastsafetensors.cli;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;

/// Draws a result as one HTML page that needs no other file, no script and no network: for screens from 390 pixels on, light
/// or dark, and for print.
///
/// @param result what is shown
/// @param before the result that it is compared with
/// @param comparison that comparison, the earlier result first; there if `before` is
record BenchPage(BenchResult result, Optional<BenchResult> before, Optional<BenchComparison> comparison) {
    private static final double PERCENT = 100;
    /// Room at the right end of a bar's scale, so that a dot on the longest one is whole.
    private static final double SCALE_PART = 98;
    private static final String STYLE =
            """
                    :root{color-scheme:light dark;--page:#fff;--card:#f6f8fa;--text:#1f2328;--faint:#59636e;--line:#d1d9e0;
                    --load:#0969da;--limit:#afb8c1;--before:#bf8700;--good:#1a7f37;--bad:#cf222e;--dot:#1f2328}
                    @media (prefers-color-scheme:dark){:root{--page:#0d1117;--card:#151b23;--text:#f0f6fc;--faint:#9198a1;
                    --line:#3d444d;--load:#4493f8;--limit:#656c76;--before:#d29922;--good:#3fb950;--bad:#f85149;--dot:#f0f6fc}}
                    *{box-sizing:border-box}
                    body{margin:0;background:var(--page);color:var(--text);
                    font:16px/1.5 -apple-system,"Segoe UI","Noto Sans",Helvetica,Arial,sans-serif}
                    main{max-width:1080px;margin:0 auto;padding:24px 16px 48px}
                    h1{font-size:1.6rem;line-height:1.25;margin:0;overflow-wrap:anywhere}
                    h2{font-size:1.2rem;margin:2.2rem 0 .6rem;break-after:avoid}
                    h3{font-size:1rem;margin:1.2rem 0 .4rem;break-after:avoid}
                    p{margin:.4rem 0;overflow-wrap:anywhere}
                    .legend{break-after:avoid}
                    .sub,.note,.legend,figcaption{color:var(--faint)}
                    .tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(240px,1fr));gap:12px;margin:20px 0 0}
                    .tile{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:12px 16px;break-inside:avoid}
                    .tile b{display:block;font-size:1.8rem;line-height:1.3;font-weight:600}
                    .tile span{display:block;color:var(--faint);overflow-wrap:anywhere}
                    figure{margin:0;padding:4px 0;break-inside:avoid}
                    .row{display:grid;grid-template-columns:minmax(0,1fr) auto;column-gap:12px;margin:10px 0}
                    .row .name{overflow-wrap:anywhere}
                    .row .value{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
                    .row svg{grid-column:1/-1;grid-row:2;display:block;width:100%;height:22px;overflow:visible}
                    .load .name,.load .value{font-weight:600}
                    .track{fill:var(--card)}.limit .bar{fill:var(--limit)}.load .bar{fill:var(--load)}.before .bar{fill:var(--before)}
                    .dot{fill:var(--page);stroke:var(--dot);stroke-width:1.2}
                    .scroll{overflow-x:auto}
                    table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
                    th,td{padding:6px 10px 6px 0;border-bottom:1px solid var(--line);text-align:right;vertical-align:top}
                    th{color:var(--faint);font-weight:600;font-size:.9rem}
                    th:first-child,td:first-child,.words{text-align:left}
                    .good{color:var(--good)}.bad{color:var(--bad)}
                    dl{display:grid;grid-template-columns:minmax(6rem,max-content) minmax(0,1fr);gap:4px 16px;margin:0}
                    dt{color:var(--faint)}dd{margin:0;overflow-wrap:anywhere}
                    @media print,(min-width:760px){.row{grid-template-columns:minmax(9rem,12rem) minmax(0,1fr) 6.5rem;align-items:center;margin:6px 0}
                    .row svg{grid-column:2;grid-row:1}.row .value{grid-column:3}}
                    @media screen and (max-width:759px){.stack thead{display:none}.stack,.stack tbody{display:block}
                    .stack tr{display:grid;grid-template-columns:1fr auto;padding:8px 0;border-bottom:1px solid var(--line)}
                    .stack td{display:contents}.stack td>span{text-align:right}
                    .stack td::before{content:attr(data-name);color:var(--faint);text-align:left}
                    .stack td:first-child>span{grid-column:1/-1;text-align:left;font-weight:600}.stack td:first-child::before{content:none}}
                    @media print{:root{color-scheme:light;--page:#fff;--card:#f6f8fa;--text:#000;--faint:#444;--line:#bbb;--load:#0969da;
                    --limit:#afb8c1;--before:#bf8700;--good:#1a7f37;--bad:#cf222e;--dot:#000}
                    *{print-color-adjust:exact;-webkit-print-color-adjust:exact}main{max-width:none;padding:0}body{font-size:10pt}
                    .scroll{overflow:visible}tr{break-inside:avoid}.row{margin:3px 0}.row svg{height:22px}
                    .tile b{font-size:1.4rem}.tiles{grid-template-columns:repeat(auto-fit,minmax(150px,1fr))}}
                    """;

    /// The page.
    String html() {
        String title = "Loading " + name() + " to " + device();
        StringBuilder page = new StringBuilder("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                + "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                + "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
                + "<meta name=\"color-scheme\" content=\"light dark\">\n<title>" + escape(title) + "</title>\n<style>\n"
                + STYLE + "</style>\n</head>\n<body>\n<main>\n<h1>" + escape(title) + "</h1>\n");
        page.append("<p class=\"sub\">").append(escape(subtitle())).append("</p>\n");
        tiles(page);
        section(page, "What bounds it");
        BenchVerdict.of(result).forEach(verdict -> paragraph(page, "", verdict.sentence()));
        result.notes().forEach(note -> paragraph(page, "note", "Note: " + note + "."));
        charts(page);
        comparison.ifPresent(both -> compared(page, both));
        section(page, "Every arm");
        arms(page);
        section(page, "What was measured");
        facts(page);
        paragraph(page, "note",
                "Each round measures every arm once, in turns; another one begins in each round. Storage"
                        + " alone reads the same bytes of the files into memory that is overwritten. Copy alone copies from the host"
                        + " memory that the backend copies from fastest into the device; on the CPU each core copies memory that was"
                        + " touched before. A load is timed from the call to the last tensor's arrival. Before a cold arm the files"
                        + " are written back and evicted from the page cache, before a warm one they are read. 1 GB is"
                        + " 1,000,000,000 bytes.");
        return page.append("</main>\n</body>\n</html>\n").toString();
    }

    /// The last names of the paths.
    private String name() {
        return Arrays.stream(result.fact(BenchResult.CHECKPOINT).split(", ", -1)).map(path -> {
            String last = path.substring(path.lastIndexOf('/') + 1);
            return last.isEmpty() ? path : last;
        }).collect(Collectors.joining(", "));
    }

    private String device() {
        return result.fact(BenchResult.DEVICE);
    }

    private String subtitle() {
        return String.join(" · ", List.of(Sizes.human(result.byteSize()), result.fact(BenchResult.DEVICE_NAME),
                "median of " + Sizes.count(result.arms().getFirst().samples().count(), "round"),
                result.fact(BenchResult.DATE)).stream().filter(part -> !part.isEmpty()).toList());
    }

    private void tiles(StringBuilder page) {
        page.append("<div class=\"tiles\">\n");
        for (BenchVerdict verdict : BenchVerdict.of(result)) {
            BenchArm load = verdict.load();
            double seconds = result.seconds(load);
            List<String> lines = new ArrayList<>(List.of(load.name(), Sizes.time(seconds)));
            if (verdict.limit() > 0) {
                lines.add(Sizes.fixed(PERCENT * load.median() / verdict.limit(), 0) + " % of the limit, "
                        + BenchVerdict.rate(verdict.limit()));
            }
            comparison.flatMap(both -> both.row(load.name())).ifPresent(row -> lines.add("before: "
                    + BenchVerdict.rate(row.a().median()) + " (" + row.verdict().words() + ")"));
            page.append("<div class=\"tile\"><b>").append(escape(BenchVerdict.rate(load.median()))).append("</b>");
            lines.forEach(line -> page.append("<span>").append(escape(line)).append("</span>"));
            page.append("</div>\n");
        }
        page.append("</div>\n");
    }

    /// A chart for each load arm: the limits, the load, and the load before.
    private void charts(StringBuilder page) {
        section(page, "How fast, of what limit");
        paragraph(page, "legend", "Bars are medians in GB/s, longer is better; each dot is a round.");
        for (BenchVerdict verdict : BenchVerdict.of(result)) {
            BenchArm load = verdict.load();
            List<Bar> bars = new ArrayList<>();
            result.arm(BenchArm.Part.STORAGE, load.state(), "")
                    .ifPresent(arm -> bars.add(new Bar("limit", arm.name(), arm)));
            result.arm(BenchArm.Part.COPY, BenchArm.State.NONE, load.backend())
                    .ifPresent(arm -> bars.add(new Bar("limit", arm.name(), arm)));
            bars.add(new Bar("load", load.name(), load));
            before.flatMap(earlier -> earlier.arm(load.name()))
                    .ifPresent(arm -> bars.add(new Bar("before", "the same before", arm)));
            double most = bars.stream().mapToDouble(bar -> bar.arm().samples().max()).max().orElse(1);
            page.append("<h3>").append(escape(load.name())).append("</h3>\n<figure>\n");
            bars.forEach(bar -> bar(page, bar, most));
            page.append("</figure>\n");
        }
    }

    private record Bar(String kind, String label, BenchArm arm) {
    }

    private static void bar(StringBuilder page, Bar bar, double most) {
        BenchArm arm = bar.arm();
        page.append("<div class=\"row ").append(bar.kind()).append("\"><span class=\"name\">")
                .append(escape(bar.label()))
                .append("</span><span class=\"value\">").append(escape(BenchVerdict.rate(arm.median())))
                .append("</span><svg role=\"img\" aria-label=\"").append(escape(bar.label() + ": "
                        + BenchVerdict.rate(arm.median()) + ", from " + BenchVerdict.number(arm.samples().min())
                        + " to "
                        + BenchVerdict.number(arm.samples().max())))
                .append("\"><rect class=\"track\" width=\"100%\" height=\"22\" rx=\"4\"/><rect class=\"bar\" width=\"")
                .append(place(arm.median(), most)).append("\" height=\"22\" rx=\"4\"/>");
        for (double rate : arm.samples().values()) {
            page.append("<circle class=\"dot\" cx=\"").append(place(rate, most)).append("\" cy=\"11\" r=\"3\"/>");
        }
        page.append("</svg></div>\n");
    }

    private static String place(double rate, double most) {
        return String.format(Locale.ROOT, "%.2f%%", SCALE_PART * rate / most);
    }

    private void compared(StringBuilder page, BenchComparison both) {
        section(page, "Next to what was measured before");
        paragraph(page, "", both.sentence());
        before.ifPresent(earlier -> paragraph(page, "note", "Before: " + earlier.fact(BenchResult.DATE) + ", fst "
                + earlier.fact("fst") + ", Java " + earlier.fact("java") + ". Now: " + result.fact(BenchResult.DATE)
                + ", fst " + result.fact("fst") + ", Java " + result.fact("java") + "."));
        List<String> head =
                List.of("arm", "before, GB/s", "now, GB/s", "ratio", "95 % interval", "p, corrected", "verdict");
        page.append(head(head));
        for (BenchComparison.Row row : both.rows()) {
            String look = switch (row.verdict()) {
                case FASTER -> "good";
                case SLOWER -> "bad";
                case NO_DIFFERENCE, TOO_FEW_ROUNDS -> "";
            };
            page.append(cells(head, look, row.a().name(), BenchVerdict.number(row.a().median()),
                    BenchVerdict.number(row.b().median()), Sizes.fixed(row.ranks().ratio(), 3),
                    BenchComparison.interval(row.ranks()), Sizes.fixed(row.ranks().corrected(), 4),
                    row.verdict().words()));
        }
        page.append("</tbody></table></div>\n");
        paragraph(page, "note",
                "Rank-sum test of Mann and Whitney, corrected after Bonferroni for the number of arms; ratio"
                        + " and interval by Hodges and Lehmann. A significant difference is one between these two runs: the machine"
                        + " may have changed as well as fst.");
    }

    private void arms(StringBuilder page) {
        List<String> head = List.of("arm", "median, GB/s", "least", "most", "median time", "rounds", "cached before");
        page.append(head(head));
        for (BenchArm arm : result.arms()) {
            page.append(cells(head, "", arm.name(), BenchVerdict.number(arm.median()),
                    BenchVerdict.number(arm.samples().min()), BenchVerdict.number(arm.samples().max()),
                    Sizes.time(result.seconds(arm)), Integer.toString(arm.samples().count()),
                    cached(result, arm)));
        }
        page.append("</tbody></table></div>\n");
    }

    /// How much of the bytes was in the page cache before an arm, for people.
    static String cached(BenchResult result, BenchArm arm) {
        return arm.state() == BenchArm.State.NONE ? "–" : arm.cached() < 0 ? "unknown"
                : Sizes.fixed(PERCENT * arm.cached() / result.byteSize(), 0) + " %";
    }

    private static String head(List<String> names) {
        StringBuilder head = new StringBuilder("<div class=\"scroll\"><table class=\"stack\"><thead><tr>");
        names.forEach(name -> head.append("<th>").append(escape(name)).append("</th>"));
        return head.append("</tr></thead><tbody>\n").toString();
    }

    /// @param look the class of the last cell
    private static String cells(List<String> names, String look, String... values) {
        StringBuilder row = new StringBuilder("<tr>");
        for (int i = 0; i < values.length; i++) {
            row.append("<td data-name=\"").append(escape(names.get(i))).append("\"><span")
                    .append(i == values.length - 1 && !look.isEmpty() ? " class=\"" + look + "\"" : "").append('>')
                    .append(escape(values[i])).append("</span></td>");
        }
        return row.append("</tr>\n").toString();
    }

    private void facts(StringBuilder page) {
        page.append("<dl>\n");
        result.facts().forEach((name, value) -> page.append("<dt>").append(escape(name.replace('_', ' ')))
                .append("</dt><dd>").append(escape(name.equals(BenchResult.BYTES)
                        ? value + " (" + Sizes.human(result.byteSize()) + ")" : value))
                .append("</dd>\n"));
        page.append("</dl>\n");
    }

    private static void section(StringBuilder page, String heading) {
        page.append("<h2>").append(escape(heading)).append("</h2>\n");
    }

    private static void paragraph(StringBuilder page, String look, String text) {
        page.append(look.isEmpty() ? "<p>" : "<p class=\"" + look + "\">").append(escape(text)).append("</p>\n");
    }

    /// Text that HTML takes as text, between tags and in quoted attributes; what turns the direction of writing is spelled
    /// out.
    static String escape(String text) {
        return SafeText.printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
                .replace("\"", "&quot;").replace("'", "&#39;");
    }
}
