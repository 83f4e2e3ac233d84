package io.fastsafetensors.dist;

import io.fastsafetensors.cli.CommandModel;
import java.io.File;
import java.io.IOException;
import picocli.codegen.docgen.manpage.ManPageGenerator;

/// Writes the manual pages of the command as AsciiDoc, from the model of its command line.
public final class ManualPages {
    private ManualPages() {
    }

    /// Writes them.
    ///
    /// @param args the directory to write to
    public static void main(String[] args) throws IOException {
        File directory = new File(args[0]);
        int status = ManPageGenerator.generateManPage(directory, null, new boolean[0], true,
                CommandModel.create().getCommandSpec());
        if (status != 0) {
            throw new IOException("the manual pages cannot be written to " + directory + ": status " + status);
        }
    }
}
