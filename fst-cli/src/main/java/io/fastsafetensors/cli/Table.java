package io.fastsafetensors.cli;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Rows under named columns, printed as aligned text, as tab-separated values, or as a JSON array of objects.
public final class Table {
    /// Output formats of a table.
    public enum Format {
        TEXT, TSV, JSON
    }

    private static final String GAP = "  ";
    private static final int WIDEST = 80;
    private static final int NARROWEST = 8;
    // In less than this a sentence has a word or two per line.
    private static final int NARROWEST_SENTENCE = 30;
    private static final String BELOW = "    ";

    private final List<String> columns;
    private final boolean[] right;
    private final List<Cell[]> rows = new ArrayList<>();
    private boolean grouped;
    private @Nullable String wrapped;

    /// @param columns their names, in order
    public Table(String... columns) {
        this.columns = List.of(columns);
        this.right = new boolean[columns.length];
    }

    /// In text, aligns these columns at their right edge.
    public Table alignRight(String... names) {
        for (String name : names) {
            right[columns.indexOf(name)] = true;
        }
        return this;
    }

    /// In text, shows the first column as a line above the rows that share its value.
    Table grouped() {
        grouped = true;
        return this;
    }

    /// In text on a terminal, breaks the last column into lines at its spaces rather than cutting it: it holds sentences.
    /// Where the other columns leave little room for it, it goes below them.
    Table wrapLast() {
        wrapped = columns.getLast();
        return this;
    }

    /// Adds a row, a cell for each column.
    public void add(Cell... cells) {
        if (cells.length != columns.size()) {
            throw new IllegalArgumentException(cells.length + " cells for " + columns);
        }
        rows.add(cells);
    }

    /// Prints all rows.
    public void print(Format format, Screen screen) {
        switch (format) {
            case TEXT -> printText(screen);
            case TSV -> printTsv(screen);
            case JSON -> printJson(screen);
        }
    }

    private void printTsv(Screen screen) {
        StringBuilder line = new StringBuilder();
        screen.out().println(String.join("\t", columns));
        for (Cell[] row : rows) {
            line.setLength(0);
            for (int i = 0; i < row.length; i++) {
                line.append(i == 0 ? "" : "\t").append(row[i].tsv());
            }
            screen.out().println(line);
        }
    }

    private void printJson(Screen screen) {
        StringBuilder line = new StringBuilder("[");
        for (int at = 0; at < rows.size(); at++) {
            Cell[] row = rows.get(at);
            for (int i = 0; i < row.length; i++) {
                line.append(i == 0 ? "{" : ",").append(SafeText.quote(columns.get(i))).append(':')
                        .append(row[i].json());
            }
            screen.out().println(line.append(at + 1 == rows.size() ? "}" : "},"));
            line.setLength(0);
        }
        screen.out().println(line.append(']'));
    }

    private void printText(Screen screen) {
        if (rows.isEmpty()) {
            return;
        }
        Cell[] head = new Cell[columns.size()];
        for (int i = 0; i < head.length; i++) {
            head[i] = Cell.text(columns.get(i).replace('_', ' '), Screen.Style.FAINT);
        }
        int room = screen.outTerminal().columns();
        if (wrapped != null && room > 0 && leavesNoRoom(head, room)) {
            printAbove(head, room, screen);
            return;
        }
        int[] widths = widths(head, room);
        printLine(head, widths, screen);
        String group = "";
        for (Cell[] row : rows) {
            if (grouped && !row[0].text().equals(group)) {
                group = row[0].text();
                int columns = screen.outTerminal().columns();
                screen.out().println(screen.styled(Screen.Style.STRONG, columns == 0 ? group
                        : Width.cut(group, columns)));
            }
            printLine(row, widths, screen);
        }
    }

    /// Whether the last column gets so little room next to the others that its sentences are hard to read.
    private boolean leavesNoRoom(Cell[] head, int room) {
        int last = head.length - 1;
        int beside = widths(head, room)[last];
        return beside < Math.min(NARROWEST_SENTENCE, room / 2) && beside < widths(head, Integer.MAX_VALUE)[last];
    }

    /// Prints each row's last cell below the others.
    private void printAbove(Cell[] head, int room, Screen screen) {
        int last = columns.size() - 1;
        Table others = new Table(columns.subList(0, last).toArray(String[]::new));
        System.arraycopy(right, 0, others.right, 0, last);
        others.grouped = grouped;
        rows.forEach(row -> others.rows.add(Arrays.copyOf(row, last)));
        int[] widths = others.widths(Arrays.copyOf(head, last), room);
        others.printLine(Arrays.copyOf(head, last), widths, screen);
        for (Cell[] row : rows) {
            others.printLine(Arrays.copyOf(row, last), widths, screen);
            for (String line : wrap(row[last].text(), Math.max(NARROWEST, room - BELOW.length()))) {
                screen.out().println(BELOW + screen.styled(row[last].style(), line));
            }
        }
    }

    /// The columns of each cell: enough for the longest, less where the terminal is narrower. Where there is no terminal one
    /// long name does not widen every row.
    private int[] widths(Cell[] head, int room) {
        int[] widths = new int[head.length];
        int first = grouped ? 1 : 0;
        for (int i = first; i < widths.length; i++) {
            widths[i] = Width.of(head[i].text());
            for (Cell[] row : rows) {
                int width = Width.of(row[i].text());
                widths[i] = Math.max(widths[i], room == 0 && width > WIDEST ? 0 : width);
            }
        }
        if (room == 0) {
            return widths;
        }
        int excess = Arrays.stream(widths).sum() + GAP.length() * (widths.length - 1) - room;
        for (int i = first; excess > 0 && i < widths.length; i++) {
            // The heading of numbers gives way before a name does.
            int content = right[i] ? widest(i) : widths[i];
            int given = Math.min(excess, widths[i] - content);
            widths[i] -= given;
            excess -= given;
        }
        while (excess > 0) {
            int widest = widestText(widths, first);
            if (widths[widest] <= NARROWEST) {
                break;
            }
            widths[widest]--;
            excess--;
        }
        return widths;
    }

    private int widest(int column) {
        return rows.stream().mapToInt(row -> Width.of(row[column].text())).max().orElse(1);
    }

    private int widestText(int[] widths, int first) {
        int widest = first;
        for (int i = first; i < widths.length; i++) {
            // Half of a number says nothing.
            if (!right[i] && (right[widest] || widths[i] > widths[widest])) {
                widest = i;
            }
        }
        return widest;
    }

    private void printLine(Cell[] row, int[] widths, Screen screen) {
        boolean narrow = screen.outTerminal().isPresent();
        int last = row.length - 1;
        boolean wraps = narrow && columns.get(last).equals(wrapped);
        List<String> tail = wraps ? wrap(row[last].text(), widths[last]) : List.of();
        StringBuilder line = new StringBuilder();
        for (int i = grouped ? 1 : 0; i <= last; i++) {
            String whole = wraps && i == last ? tail.getFirst() : row[i].text();
            String text = narrow ? Width.cut(whole, Math.max(1, widths[i])) : whole;
            append(line, screen.styled(row[i].style(), text), widths[i] - Width.of(text), right[i], i == last);
        }
        screen.out().println(line);
        int indent = Arrays.stream(widths).limit(last).sum() + GAP.length() * last;
        for (int i = 1; i < tail.size(); i++) {
            screen.out().println(" ".repeat(indent) + screen.styled(row[last].style(), tail.get(i)));
        }
    }

    /// Lines of at most `columns` columns, broken at spaces.
    private static List<String> wrap(String text, int columns) {
        List<String> lines = new ArrayList<>();
        StringBuilder line = new StringBuilder();
        for (String word : text.split(" ", -1)) {
            if (!line.isEmpty() && Width.of(line.toString()) + 1 + Width.of(word) > columns) {
                lines.add(line.toString());
                line.setLength(0);
            }
            String rest = line.isEmpty() ? word : " " + word;
            // A path that is longer than a line goes on in the next: it is there to be copied.
            while (Width.of(rest) > columns) {
                int end = rest.offsetByCodePoints(0, Math.max(1, columns / 2));
                lines.add(rest.substring(0, end));
                rest = rest.substring(end);
            }
            line.append(rest);
        }
        lines.add(line.toString());
        return lines;
    }

    private void append(StringBuilder line, String text, int missing, boolean atRight, boolean last) {
        String padding = " ".repeat(Math.max(0, missing));
        line.append(line.isEmpty() && !grouped ? "" : GAP);
        if (atRight) {
            line.append(padding);
        }
        line.append(text);
        if (!atRight && !last) {
            line.append(padding);
        }
    }
}
