"""ONNX files of the networks (irncli[onnx]): built node by node, and checked against torch."""
