package io.fastsafetensors.storage.http.s3;

import java.io.ByteArrayInputStream;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import javax.xml.stream.XMLInputFactory;
import javax.xml.stream.XMLStreamConstants;
import javax.xml.stream.XMLStreamException;
import javax.xml.stream.XMLStreamReader;

/// An element of a document of XML: its name without prefix, its text and its children. DTDs and external entities are not
/// read.
record Xml(String name, StringBuilder content, List<Xml> children) {
    private static final int DEEPEST = 32;

    /// Reads a document.
    ///
    /// @throws IllegalArgumentException if it is none, without repeating it
    static Xml parse(byte[] document) {
        XMLInputFactory factory = XMLInputFactory.newDefaultFactory();
        factory.setProperty(XMLInputFactory.SUPPORT_DTD, false);
        factory.setProperty(XMLInputFactory.IS_SUPPORTING_EXTERNAL_ENTITIES, false);
        factory.setXMLResolver((_, _, _, _) -> {
            throw new XMLStreamException("external entities are not read");
        });
        Deque<Xml> open = new ArrayDeque<>();
        open.push(new Xml("", new StringBuilder(), new ArrayList<>()));
        try {
            XMLStreamReader reader = factory.createXMLStreamReader(new ByteArrayInputStream(document));
            while (reader.hasNext()) {
                switch (reader.next()) {
                    case XMLStreamConstants.START_ELEMENT -> {
                        if (open.size() > DEEPEST) {
                            throw new IllegalArgumentException("the answer's XML is too deep");
                        }
                        Xml element = new Xml(reader.getLocalName(), new StringBuilder(), new ArrayList<>());
                        open.element().children.add(element);
                        open.push(element);
                    }
                    case XMLStreamConstants.END_ELEMENT -> open.pop();
                    case XMLStreamConstants.CHARACTERS, XMLStreamConstants.CDATA, XMLStreamConstants.SPACE ->
                            open.element().content.append(reader.getText());
                    default -> {
                    }
                }
            }
        } catch (XMLStreamException e) {
            throw new IllegalArgumentException("the answer is no XML");
        }
        return open.element().children.getFirst();
    }

    /// The first child of a name.
    Optional<Xml> child(String child) {
        return children.stream().filter(each -> each.name.equals(child)).findFirst();
    }

    /// The text of a child.
    Optional<String> text(String child) {
        return child(child).map(each -> each.content.toString());
    }

    List<Xml> all(String child) {
        return children.stream().filter(each -> each.name.equals(child)).toList();
    }

    /// The name; the content may be secret.
    @Override
    public String toString() {
        return "<" + name + ">";
    }
}
