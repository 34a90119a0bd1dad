"""How a network is taken to memorization."""

#: Names of networks that `curvdetect.training.nets` builds; here, where the help of commands finds them without torch.
NETS = ("resnet18-cifar", "resnet-mnist")
