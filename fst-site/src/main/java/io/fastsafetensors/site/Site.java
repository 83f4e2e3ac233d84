package io.fastsafetensors.site;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Stream;
import org.commonmark.Extension;
import org.commonmark.ext.gfm.tables.TableBlock;
import org.commonmark.ext.gfm.tables.TablesExtension;
import org.commonmark.node.AbstractVisitor;
import org.commonmark.node.Code;
import org.commonmark.node.Heading;
import org.commonmark.node.Image;
import org.commonmark.node.Link;
import org.commonmark.node.Node;
import org.commonmark.node.Text;
import org.commonmark.parser.Parser;
import org.commonmark.renderer.html.HtmlRenderer;

/// Generates the site: a page for every Markdown document of the source tree, with the navigation of docs/README.md. Links
/// between documents lead from page to page, links to other files to the repository.
public final class Site {
    private static final Set<String> SKIPPED = Set.of("target", ".git", ".github", "node_modules", "src");
    private static final String HOME = "README.md";

    private final Path root;
    private final Path site;
    private final String repository;
    private final String version;
    private final List<Extension> extensions = List.of(TablesExtension.create());
    private final Parser parser = Parser.builder().extensions(extensions).build();
    private final Set<Path> documents;

    private Site(Path root, Path site, String repository, String version) throws IOException {
        this.root = root;
        this.site = site;
        this.repository = repository;
        this.version = version;
        try (Stream<Path> files = Files.walk(root)) {
            this.documents = new HashSet<>(files.map(root::relativize)
                    .filter(file -> file.toString().endsWith(".md")
                            && Stream.of(file.toString().split("/", -1)).noneMatch(SKIPPED::contains))
                    .toList());
        }
    }

    /// Writes the site.
    ///
    /// @param args the source tree, the site's directory, the address of the repository's files, the version
    public static void main(String[] args) throws IOException {
        new Site(Path.of(args[0]).toAbsolutePath().normalize(), Path.of(args[1]), args[2], args[3]).write();
    }

    private void write() throws IOException {
        Files.createDirectories(site);
        try (InputStream style = Site.class.getResourceAsStream("style.css")) {
            Files.copy(Objects.requireNonNull(style), site.resolve("style.css"), StandardCopyOption.REPLACE_EXISTING);
        }
        String template = resource("page.html");
        for (Path document : documents) {
            Node content = parser.parse(Files.readString(root.resolve(document)));
            List<Path> images = new ArrayList<>();
            content.accept(new Addresses(document, images));
            String text = Files.readString(root.resolve(document));
            Path page = site.resolve(page(document));
            Files.createDirectories(Objects.requireNonNull(page.getParent()));
            String up = "../".repeat(document.getNameCount() - 1);
            Files.writeString(page,
                    template.replace("${title}", title(content)).replace("${version}", version).replace("${up}", up)
                            .replace("${navigation}", navigation(document, up))
                            .replace("${content}", html(content, text, document, images)));
            for (Path image : images) {
                Path target = site.resolve(image);
                Files.createDirectories(Objects.requireNonNull(target.getParent()));
                Files.copy(root.resolve(image), target, StandardCopyOption.REPLACE_EXISTING);
            }
        }
    }

    private static String resource(String name) throws IOException {
        try (InputStream stream = Site.class.getResourceAsStream(name)) {
            return new String(Objects.requireNonNull(stream).readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    /// The page of a document: that of the root's README is the first.
    private static String page(Path document) {
        return document.toString().equals(HOME) ? "index.html" : document.toString().replaceAll("\\.md$", ".html");
    }

    private String html(Node content, String text, Path document, List<Path> images) {
        // Pictures that follow light and dark are HTML in the documents.
        java.util.regex.Matcher sources =
                java.util.regex.Pattern.compile("src(?:set)?=\"([^\"]+\\.svg)\"").matcher(text);
        while (sources.find()) {
            images.add(inTree(document, sources.group(1)));
        }
        Set<String> used = new HashSet<>();
        return HtmlRenderer.builder().extensions(extensions).attributeProviderFactory(_ -> (node, tag, attributes) -> {
            if (node instanceof Heading && tag.startsWith("h")) {
                String anchor = anchor(text(node));
                attributes.put("id", used.add(anchor) ? anchor : anchor + "-1");
            }
            if (node instanceof TableBlock && tag.equals("table")) {
                attributes.put("tabindex", "0");
            }
        }).build().render(content);
    }

    private String navigation(Path current, String up) throws IOException {
        StringBuilder html = new StringBuilder();
        Path index = Path.of("docs", HOME);
        html.append(item(up + "index.html", "fst", current.toString().equals(HOME)));
        html.append(item(up + page(index), "All documents", current.equals(index)));
        html.append(item(up + "api/index.html", "API (Javadoc)", false));
        Node content = parser.parse(Files.readString(root.resolve(index)));
        for (Node node = content.getFirstChild(); node != null; node = node.getNext()) {
            if (node instanceof Heading heading && heading.getLevel() == 2) {
                html.append("<h2>").append(escape(text(heading).replaceFirst(":.*", ""))).append("</h2>\n");
            }
            if (node instanceof TableBlock) {
                node.accept(new AbstractVisitor() {
                    @Override
                    public void visit(Link link) {
                        Path target = inTree(index, link.getDestination().replaceFirst("#.*", ""));
                        if (documents.contains(target) && !target.toString().equals(HOME)) {
                            html.append(item(up + page(target), text(link), target.equals(current)));
                        }
                    }
                });
            }
        }
        return html.toString();
    }

    private static String item(String address, String label, boolean current) {
        return "<a href=\"" + address + "\"" + (current ? " aria-current=\"page\"" : "") + ">" + escape(label)
                + "</a>\n";
    }

    private static String title(Node content) {
        for (Node node = content.getFirstChild(); node != null; node = node.getNext()) {
            if (node instanceof Heading) {
                return escape(text(node));
            }
        }
        return "fst";
    }

    /// The text of a node without its marks.
    private static String text(Node node) {
        StringBuilder text = new StringBuilder();
        node.accept(new AbstractVisitor() {
            @Override
            public void visit(Text part) {
                text.append(part.getLiteral());
            }

            @Override
            public void visit(Code part) {
                text.append(part.getLiteral());
            }
        });
        return text.toString();
    }

    /// The address of a heading within its page, as the repository's own pages have it.
    private static String anchor(String heading) {
        return heading.toLowerCase(Locale.ROOT).replaceAll("[^\\p{L}\\p{N} _-]", "").replace(' ', '-');
    }

    private static String escape(String text) {
        String escaped = text;
        for (Map.Entry<String, String> each : List.of(Map.entry("&", "&amp;"), Map.entry("<", "&lt;"),
                Map.entry(">", "&gt;"), Map.entry("\"", "&quot;"))) {
            escaped = escaped.replace(each.getKey(), each.getValue());
        }
        return escaped;
    }

    /// The file that a document's relative address means.
    private Path inTree(Path document, String address) {
        return root.relativize(root.resolve(document).resolveSibling(address).normalize());
    }

    /// Makes addresses in a document those of the site.
    private final class Addresses extends AbstractVisitor {
        private final Path document;
        private final List<Path> images;

        Addresses(Path document, List<Path> images) {
            this.document = document;
            this.images = images;
        }

        @Override
        public void visit(Image image) {
            if (!image.getDestination().contains(":")) {
                images.add(inTree(document, image.getDestination()));
            }
            visitChildren(image);
        }

        @Override
        public void visit(Link link) {
            String address = link.getDestination();
            if (!address.contains(":") && !address.startsWith("#")) {
                String[] parts = address.split("#", 2);
                Path target = inTree(document, parts[0]);
                String anchor = parts.length > 1 ? "#" + parts[1] : "";
                link.setDestination(documents.contains(target)
                        ? "../".repeat(document.getNameCount() - 1) + page(target) + anchor
                        : repository + "/" + target);
            }
            visitChildren(link);
        }
    }
}
