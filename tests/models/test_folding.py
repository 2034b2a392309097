"""Folded batch norms: the same answers from fewer steps."""

import torch
from torch import nn

from segnet_res.models import build_model, fold_batch_norms


def test_a_folded_model_answers_alike():
    torch.manual_seed(0)
    model = build_model("ressegnet-tiny", num_classes=3, channels=1)
    for norm in model.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2)
            nn.init.normal_(norm.weight, 1, 0.3)
            nn.init.normal_(norm.bias)
    images = torch.randint(0, 256, (2, 1, 40, 70), dtype=torch.uint8)
    with torch.no_grad():
        expected = model.eval()(images)
        folded = fold_batch_norms(model)
        found = folded(images)
    assert folded is model
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    # Forty layers of sums in another order.
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-3 * float(expected.std()))


def test_other_modules_stay():
    peer = build_model("smp:unet-resnet18", num_classes=2, channels=1).eval()
    before = [type(module) for module in peer.modules()]
    assert [type(module) for module in fold_batch_norms(peer).modules()] == before
