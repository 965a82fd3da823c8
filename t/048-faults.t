# A short selection of what `make faults` does at length, so that it stays
# true between two of its runs: allocations that fail, a full disk, no
# descriptors, reloads and kills. Nobody is let in by any of it, no worker
# ends of it, and all is well afterwards.

use strict;
use warnings;

use lib 't/lib';
use ProxyUser;
use ProxyUser::Faults;
use ProxyUser::Faults::Machine;
use ProxyUser::Faults::Memory;
use Test::More;

sub survived {
    my ($line) = @_;

    cmp_ok $line->{sent}, '>', 20, "$line->{name}: under load";
    is $line->{allowed}, 0, "$line->{name}: nobody is let in wrongly";
    is $line->{crashed}, 0, "$line->{name}: no worker crashes";
    ok !$line->{lost}, "$line->{name}: all is well afterwards";
    is $line->bad, 0, "$line->{name}: nor anything else"
        or diag join "\n", $line->notes;
}


for my $what ('the disk is full', 'no descriptors', 'a reload every') {
    survived($_) for machine_faults(only => qr/$what/, seconds => 1,
                                    storm => 3);
}


# Two that have ended workers: a number of more than 15 bytes in a token, for
# which the parser's buffer grows, and what an encrypted token is made of. And
# one that was called bad, which a provider does not send again.
SKIP: {
    skip 'this nginx has a malloc of its own', 1 unless memory_can_fail();

    memory_world();
    survived($_) for memory_faults(most => 60, only =>
        qr/^memory: an (?:expired token|encrypted token)$/);
    survived($_) for memory_faults(step => 5, only =>
        qr/^memory: an event of a provider$/);
}

done_testing;
