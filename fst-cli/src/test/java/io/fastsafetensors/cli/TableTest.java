package io.fastsafetensors.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class TableTest {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    @Test
    void text_is_aligned() {
        assertEquals("name    nbytes\na          3 B\n漢字b   1.00 KiB\n",
                print(table(), Table.Format.TEXT, false));
    }

    @Test
    void tsv_has_one_header_line_and_raw_numbers() {
        assertEquals("name\tnbytes\n\"a\"\t3\n\"漢字b\"\t1024\n", print(table(), Table.Format.TSV, false));
        assertEquals("name\tnbytes\n", print(new Table("name", "nbytes"), Table.Format.TSV, false));
    }

    @Test
    void json_is_an_array_of_objects() {
        assertEquals("[{\"name\":\"a\",\"nbytes\":3},\n{\"name\":\"漢字b\",\"nbytes\":1024}\n]\n",
                print(table(), Table.Format.JSON, false));
        assertEquals("[]\n", print(new Table("name", "nbytes"), Table.Format.JSON, false));
    }

    @Test
    void groups_stand_above_their_rows() {
        Table table = new Table("file", "name").grouped();
        table.add(Cell.text("x"), Cell.name("a"));
        table.add(Cell.text("x"), Cell.name("b"));
        table.add(Cell.text("y"), Cell.name("c"));
        assertEquals("  name\nx\n  a\n  b\ny\n  c\n", print(table, Table.Format.TEXT, false));
    }

    @Test
    void colours_are_for_terminals_and_do_not_shift_columns() {
        Table table = new Table("ok", "why");
        table.add(Cell.yesNo(true), Cell.text("x"));
        assertEquals("ok   why\nyes  x\n", print(table, Table.Format.TEXT, false));
        assertEquals("\u001b[2mok\u001b[0m   \u001b[2mwhy\u001b[0m\n\u001b[32myes\u001b[0m  x\n",
                print(table, Table.Format.TEXT, true));
        assertEquals("ok\twhy\nyes\tx\n", print(table, Table.Format.TSV, true));
    }

    @Test
    void rows_fit_the_columns() {
        assertThrows(IllegalArgumentException.class, () -> table().add(Cell.number(1)));
    }

    private static Table table() {
        Table table = new Table("name", "nbytes").alignRight("nbytes");
        table.add(Cell.name("a"), Cell.bytes(3));
        table.add(Cell.name("漢字b"), Cell.bytes(1024));
        return table;
    }

    private String print(Table table, Table.Format format, boolean terminal) {
        PrintStream stream = new PrintStream(out, true, StandardCharsets.UTF_8);
        out.reset();
        table.print(format, new Screen(stream, stream, terminal));
        return out.toString(StandardCharsets.UTF_8);
    }
}
