package io.fastsafetensors.cli;

import java.util.ArrayList;
import java.util.List;

/// Rows under named columns, printed as aligned text, as tab-separated values, or as a JSON array of objects.
public final class Table {
    /// How a table is printed.
    public enum Format {
        TEXT, TSV, JSON
    }

    private static final String GAP = "  ";

    private final List<String> columns;
    private final boolean[] right;
    private final List<Cell[]> rows = new ArrayList<>();
    private boolean grouped;

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
                line.append(i == 0 ? "{" : ",").append(Json.quote(columns.get(i))).append(':').append(row[i].json());
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
        int[] widths = new int[columns.size()];
        Cell[] head = new Cell[widths.length];
        for (int i = 0; i < widths.length; i++) {
            head[i] = Cell.text(columns.get(i).replace('_', ' '), Screen.Style.FAINT);
            widths[i] = head[i].text().length();
            for (Cell[] row : rows) {
                widths[i] = Math.max(widths[i], width(row[i].text()));
            }
        }
        printLine(head, widths, screen);
        String group = "";
        for (Cell[] row : rows) {
            if (grouped && !row[0].text().equals(group)) {
                group = row[0].text();
                screen.out().println(screen.styled(Screen.Style.STRONG, group));
            }
            printLine(row, widths, screen);
        }
    }

    private void printLine(Cell[] row, int[] widths, Screen screen) {
        StringBuilder line = new StringBuilder();
        for (int i = grouped ? 1 : 0; i < row.length; i++) {
            append(line, row[i], widths[i], right[i], i + 1 == row.length, screen);
        }
        screen.out().println(line);
    }

    private void append(StringBuilder line, Cell cell, int width, boolean atRight, boolean last, Screen screen) {
        String padding = " ".repeat(width - width(cell.text()));
        line.append(line.isEmpty() && !grouped ? "" : GAP);
        if (atRight) {
            line.append(padding);
        }
        line.append(screen.styled(cell.style(), cell.text()));
        if (!atRight && !last) {
            line.append(padding);
        }
    }

    private static int width(String text) {
        return text.codePointCount(0, text.length());
    }
}
