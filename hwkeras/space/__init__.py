"""What may vary: `Architecture`, a frozen graph of typed layers, and the spaces it is drawn from. Pure Python."""

from hwkeras.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "ACTIVATIONS": "hwkeras.space.kinds",
        "AUGMENTATIONS": "hwkeras.space.augmentation",
        "AudioSpace": "hwkeras.space.audio",
        "Architecture": "hwkeras.space.architecture",
        "Augmentation": "hwkeras.space.augmentation",
        "Cell": "hwkeras.space.cell",
        "CellSpace": "hwkeras.space.cell_space",
        "Choice": "hwkeras.space.choice",
        "DictSpace": "hwkeras.space.plain_dict",
        "Draft": "hwkeras.space.draft",
        "ImageSpace": "hwkeras.space.image",
        "KINDS": "hwkeras.space.kinds",
        "Layer": "hwkeras.space.layer",
        "LayerListSpace": "hwkeras.space.layer_list",
        "Menu": "hwkeras.space.choice",
        "NAMED_NETWORKS": "hwkeras.space.named_networks",
        "NamedSpace": "hwkeras.space.named_space",
        "NasnetCell": "hwkeras.space.nasnet_cell",
        "NasnetSpace": "hwkeras.space.nasnet_space",
        "OneArchitecture": "hwkeras.space.one_architecture",
        "Params": "hwkeras.space.layer",
        "every_cell": "hwkeras.space.cell",
        "named_network": "hwkeras.space.named_networks",
        "SegmentationSpace": "hwkeras.space.segmentation",
        "SequenceSpace": "hwkeras.space.sequence",
        "TabularSpace": "hwkeras.space.tabular",
        "TextSpace": "hwkeras.space.text",
        "TwoTowerSpace": "hwkeras.space.recommendation",
        "architecture_from_actions": "hwkeras.space.actions",
    },
)
