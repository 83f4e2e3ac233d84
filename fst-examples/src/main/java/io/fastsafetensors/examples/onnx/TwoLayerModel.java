package io.fastsafetensors.examples.onnx;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/// Writes an ONNX model, `y = relu(x · w1 + b1) · w2 + b2`, whose weights are external data. Field numbers are those of
/// `onnx.proto3`; exporters write such files, this one spares the example a tool.
///
/// @param inputs the length of `x`
/// @param hidden the length between the layers
/// @param outputs the length of `y`
record TwoLayerModel(int inputs, int hidden, int outputs) {
    private static final int FLOAT = 1;
    private static final int EXTERNAL = 1;

    /// @param weightsFile where the weights are said to be, in the same directory
    void write(Path file, String weightsFile) throws IOException {
        Protobuf graph = new Protobuf().message(1, node("MatMul", "product", "x", "w1"))
                .message(1, node("Add", "sum", "product", "b1")).message(1, node("Relu", "positive", "sum"))
                .message(1, node("MatMul", "product2", "positive", "w2")).message(1, node("Add", "y", "product2", "b2"))
                .text(2, "two layers").message(5, external("w1", weightsFile, inputs, hidden))
                .message(5, external("b1", weightsFile, hidden))
                .message(5, external("w2", weightsFile, hidden, outputs))
                .message(5, external("b2", weightsFile, outputs)).message(11, value("x", inputs))
                .message(12, value("y", outputs));
        Protobuf operators = new Protobuf().text(1, "").number(2, 13);
        Files.write(file, new Protobuf().number(1, 8).message(8, operators).message(7, graph).toByteArray());
    }

    private static Protobuf node(String operator, String output, String... inputs) {
        Protobuf node = new Protobuf();
        for (String input : inputs) {
            node.text(1, input);
        }
        return node.text(2, output).text(4, operator);
    }

    private static Protobuf external(String name, String file, int... dimensions) {
        Protobuf tensor = new Protobuf();
        for (int dimension : dimensions) {
            tensor.number(1, dimension);
        }
        return tensor.number(2, FLOAT).text(8, name)
                .message(13, new Protobuf().text(1, "location").text(2, file)).number(14, EXTERNAL);
    }

    /// A matrix of as many rows as the caller gives.
    private static Protobuf value(String name, int columns) {
        Protobuf shape = new Protobuf().message(1, new Protobuf().text(2, "rows"))
                .message(1, new Protobuf().number(1, columns));
        return new Protobuf().text(1, name).message(2,
                new Protobuf().message(1, new Protobuf().number(1, FLOAT).message(2, shape)));
    }
}
