package tensorflow

import "modelwall/scan/internal/pb"

// The messages, for the visitor.
const (
	idOther = iota
	idMetaInfo
	idGraph
	idNode
	idAttrEntry // an entry of a node's map of attributes
	idAttrValue
	idAttrList
	idFunc // a function as the value of an attribute
	idTensor
	idVariant
	idFunction
	idCollectionEntry
	idCollection
	idBytesList
	idAsset
	idUserObject
	idKerasObject
)

// roots are the messages that a file can be.
type roots struct{ savedModel, metaGraph, graph, kerasMetadata *pb.Message }

// schema is the part of TensorFlow's .proto files that matters here.
func schema() roots {
	scalar, text, blob := pb.Field{Kind: pb.Scalar}, pb.Field{Kind: pb.Text}, pb.Field{Kind: pb.Blob}
	sub := func(m *pb.Message) pb.Field { return pb.Field{Kind: pb.Sub, Sub: m} }
	type (
		fields = map[pb.Number]pb.Field
		names  = map[string]pb.Number
	)

	// framework/tensor.proto
	tensor, variant := &pb.Message{ID: idTensor}, &pb.Message{ID: idVariant}
	tensor.Fields = fields{1: scalar, 4: text, 8: text, 15: sub(variant)}
	tensor.Names = names{"dtype": 1, "tensor_content": 4, "string_val": 8, "variant_val": 15}
	variant.Fields = fields{1: text, 2: text, 3: sub(tensor)}
	variant.Names = names{"type_name": 1, "metadata": 2, "tensors": 3}

	// framework/attr_value.proto
	value, list, fn, entry := &pb.Message{ID: idAttrValue}, &pb.Message{ID: idAttrList}, &pb.Message{ID: idFunc}, &pb.Message{ID: idAttrEntry}
	entry.Fields = fields{1: text, 2: sub(value)}
	entry.Names = names{"key": 1, "value": 2}
	value.Fields = fields{1: sub(list), 2: text, 8: sub(tensor), 10: sub(fn)}
	value.Names = names{"list": 1, "s": 2, "tensor": 8, "func": 10}
	list.Fields = fields{2: text, 8: sub(tensor), 9: sub(fn)}
	list.Names = names{"s": 2, "tensor": 8, "func": 9}
	fn.Fields = fields{2: sub(entry)}
	fn.Names = names{"attr": 2}

	// framework/node_def.proto, function.proto, graph.proto
	node := &pb.Message{ID: idNode, Fields: fields{1: text, 2: text, 3: text, 5: sub(entry)}, Names: names{"name": 1, "op": 2, "input": 3, "attr": 5}}
	function := &pb.Message{ID: idFunction, Fields: fields{3: sub(node), 5: sub(entry)}, Names: names{"node_def": 3, "attr": 5}}
	library := &pb.Message{Fields: fields{1: sub(function)}, Names: names{"function": 1}}
	graph := &pb.Message{ID: idGraph, Fields: fields{1: sub(node), 2: sub(library)}, Names: names{"node": 1, "library": 2, "version": 3, "versions": 4, "debug_info": 5}}

	// protobuf/saved_object_graph.proto
	user := &pb.Message{ID: idUserObject, Fields: fields{1: text, 3: blob}, Names: names{"identifier": 1, "metadata": 3}}
	object := &pb.Message{Fields: fields{4: sub(user)}, Names: names{"user_object": 4}}
	objects := &pb.Message{Fields: fields{1: sub(object)}, Names: names{"nodes": 1}}

	// protobuf/meta_graph.proto, saved_model.proto
	info := &pb.Message{ID: idMetaInfo, Fields: fields{5: text}, Names: names{"tensorflow_version": 5}}
	bytesList := &pb.Message{ID: idBytesList, Fields: fields{1: text}, Names: names{"value": 1}}
	collection := &pb.Message{ID: idCollection, Fields: fields{1: sub(bytesList), 2: sub(bytesList)}, Names: names{"node_list": 1, "bytes_list": 2}}
	collections := &pb.Message{ID: idCollectionEntry, Fields: fields{1: text, 2: sub(collection)}, Names: names{"key": 1, "value": 2}}
	asset := &pb.Message{ID: idAsset, Fields: fields{2: text}, Names: names{"filename": 2}}
	meta := &pb.Message{Fields: fields{1: sub(info), 2: sub(graph), 4: sub(collections), 6: sub(asset), 7: sub(objects)}}
	meta.Names = names{
		"meta_info_def": 1, "graph_def": 2, "saver_def": 3, "collection_def": 4, "signature_def": 5, "asset_file_def": 6,
		"object_graph_def": 7, "graph_debug_info": 8,
	}
	saved := &pb.Message{Fields: fields{2: sub(meta)}, Names: names{"saved_model_schema_version": 1, "meta_graphs": 2}}

	// keras/protobuf/saved_metadata.proto
	keras := &pb.Message{ID: idKerasObject, Fields: fields{3: text, 4: text, 5: blob}, Names: names{"node_path": 3, "identifier": 4, "metadata": 5}}
	metadata := &pb.Message{Fields: fields{1: sub(keras)}, Names: names{"nodes": 1}}
	return roots{savedModel: saved, metaGraph: meta, graph: graph, kerasMetadata: metadata}
}
