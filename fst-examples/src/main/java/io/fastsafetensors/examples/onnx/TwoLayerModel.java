package io.fastsafetensors.examples.onnx;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/// Writes an ONNX model, `y = relu(x · w1 + b1) · w2 + b2`, whose weights are external data. Exporters write such files;
/// this one spares the example a tool. Names and numbers are those of `onnx.proto3`.
///
/// @param inputs the length of `x`
/// @param hidden the length between the layers
/// @param outputs the length of `y`
record TwoLayerModel(int inputs, int hidden, int outputs) {
    private static final int IR_VERSION = 8;
    private static final int OPERATOR_SET = 13;
    private static final int FLOAT = 1;
    private static final int EXTERNAL = 1;

    /// @param weightsFile where the weights are said to be, in the same directory
    void write(Path file, String weightsFile) throws IOException {
        Protobuf graph = new Protobuf();
        int node = 1;
        graph.message(node, node("MatMul", "product1", "x", "w1"));
        graph.message(node, node("Add", "sum", "product1", "b1"));
        graph.message(node, node("Relu", "positive", "sum"));
        graph.message(node, node("MatMul", "product2", "positive", "w2"));
        graph.message(node, node("Add", "y", "product2", "b2"));
        int name = 2;
        graph.text(name, "two layers");
        int initializer = 5;
        graph.message(initializer, external("w1", weightsFile, inputs, hidden));
        graph.message(initializer, external("b1", weightsFile, hidden));
        graph.message(initializer, external("w2", weightsFile, hidden, outputs));
        graph.message(initializer, external("b2", weightsFile, outputs));
        int input = 11;
        graph.message(input, matrix("x", inputs));
        int output = 12;
        graph.message(output, matrix("y", outputs));
        Files.write(file, model(graph).toByteArray());
    }

    private static Protobuf model(Protobuf graph) {
        int irVersion = 1;
        int graphField = 7;
        int opsetImport = 8;
        int domain = 1;
        int version = 2;
        return new Protobuf().number(irVersion, IR_VERSION)
                .message(opsetImport, new Protobuf().text(domain, "").number(version, OPERATOR_SET))
                .message(graphField, graph);
    }

    private static Protobuf node(String operator, String result, String... operands) {
        Protobuf node = new Protobuf();
        int input = 1;
        for (String operand : operands) {
            node.text(input, operand);
        }
        int output = 2;
        int opType = 4;
        return node.text(output, result).text(opType, operator);
    }

    private static Protobuf external(String tensorName, String file, int... dimensions) {
        Protobuf tensor = new Protobuf();
        int dims = 1;
        for (int dimension : dimensions) {
            tensor.number(dims, dimension);
        }
        int dataType = 2;
        int name = 8;
        int externalData = 13;
        int key = 1;
        int value = 2;
        int dataLocation = 14;
        return tensor.number(dataType, FLOAT).text(name, tensorName)
                .message(externalData, new Protobuf().text(key, "location").text(value, file))
                .number(dataLocation, EXTERNAL);
    }

    /// An input or output of as many rows as the caller gives.
    private static Protobuf matrix(String valueName, int columns) {
        int dim = 1;
        int dimValue = 1;
        int dimParam = 2;
        Protobuf shape = new Protobuf().message(dim, new Protobuf().text(dimParam, "rows")).message(dim,
                new Protobuf().number(dimValue, columns));
        int name = 1;
        int type = 2;
        int tensorType = 1;
        int elemType = 1;
        int shapeField = 2;
        return new Protobuf().text(name, valueName).message(type, new Protobuf().message(tensorType,
                new Protobuf().number(elemType, FLOAT).message(shapeField, shape)));
    }
}
