# The command proxy-user where memory is short: one allocation fails, each in
# turn. It does all that was asked for, or says what it has not done; it never
# crashes, never prints half and calls it done, and nothing half-done is left
# in Redis.
#
# What OpenSSL allocates while it starts is tried here and there only: of the
# thousands some end any program that asks it for a digest, this one too.

use strict;
use warnings;

use File::Basename qw(dirname);
use POSIX ();
use Test::More;

use lib dirname(__FILE__) . '/lib';
use ProxyUser::Command;
use ProxyUser::Faults qw(memory_can_fail without_memory);
use ProxyUser::Redis qw(redis_start user_id seed_user);
use ProxyUser::Token ();

# So many tries for a command, spread; all there are with ALL=1, which takes
# minutes.
my $TRIES = $ENV{ALL} ? 1e9 : 10;

my $ID = user_id(1);
my $BOB = user_id(2);
my $PEM = ProxyUser::Token::DATA() . '/tls-client.pem';

my $server = redis_start();
my ($url, $tmp) = command_start($server);


END {
    local $?;
    ProxyUser::Redis::stop_all();
}


plan skip_all => 'the command has a malloc of its own'
    unless memory_can_fail(command_path());

$ProxyUser::Nginx::tmp //= "$tmp";


# As run, but the allocation "at" fails, and with "on" all that follow. How
# many there were comes last.
sub starved {
    my ($at, $on, @words) = @_;
    my ($n, $code, $out, $err) = without_memory(sub { run(@words) }, $at,
                                                on => $on);

    # what a program that counts its own lines says at its end
    $err =~ s/^profiling:.*\n//mg;
    return ($code, $out, $err, $n);
}


# Done with nothing missing, or one sentence and a code that says so.
sub fault {
    my ($right, $code, $out, $err) = @_;

    # What writes coverage down at the end follows the pointer it did not get.
    return undef if $ENV{COVERAGE} && $code eq 'signal 11';
    return "exit $code" unless $code =~ /^[0-3]$/;
    return "exit 0 and $err" if $code eq '0' && $err ne '';
    return "exit 0 and half of it: $out" if $code eq '0' && $out !~ $right;
    return "exit $code and no sentence: $err" if $code ne '0'
        && $err !~ /\Aproxy-user: [^\n]*(?:memory|OpenSSL\ cannot
                    |random\ numbers|Memory|certificate|no\ reason)[^\n]*\n\z/x;
    return undef;
}


# Of a program that counts its own lines there is more, at its end.
my $end = (starved(2**40, 0, '--help'))[3];

# Where the command's own allocations begin: when it has learnt that nobody
# listens, OpenSSL has started.
my $own = (starved(2**40, 0, '--redis', 'unix:/nonexistent/redis', 'user',
                   'list'))[3] - $end - 20;

cmp_ok($own, '>', 10, 'there are allocations');


# What is tried begins behind the way to Redis but once. before: what the store
# must be like; after: is what was called done there, and nothing half of it?
sub endure {
    my ($what, $words, %opt) = @_;

    my $before = $opt{before} // sub { };
    my $after = $opt{after} // sub { undef };

    $before->();
    my ($code, $good, $err, $n) = starved(2**40, 0, @$words);
    is($code, 0, "$what: with enough memory") or diag($err);
    $n -= $end - 1;

    my $right = $opt{right} // qr/\A\Q$good\E\z/;
    my (%fault, $tried);
    my $failed = 0;

    my $from = $opt{way} ? $own : $own + 50;
    my $step = POSIX::ceil(($n - $from + 1) / ($opt{tries} // $TRIES));

    for (my $at = $from; $at <= $n; $at += $step < 1 ? 1 : $step) {
        $before->();
        my @got = starved($at, $opt{on} // 0, @$words);
        my $fault = fault($right, @got) // $after->(@got);
        push @{ $fault{$fault} }, $at if defined $fault;
        $failed++ if $got[0] ne '0';
        $tried++;
    }

    is(join("\n", map { "$_ at @{ $fault{$_} }" } sort keys %fault), '',
       "$what: done or said, in $tried tries");
    cmp_ok($failed, '>', 0, "$what: some of them were refused");
}


sub two_users {
    fresh();
    seed_user(id => $BOB, sub => 'bob', on => $server, roles => 'a b',
              user_name => 'bob', external_id => 'x', scopes => 'r w');
}


subtest 'what only reads' => sub {
    two_users();
    done('a key', 'key', 'create', $BOB, '--role', 'a', '--scope', 'r',
         '--network', '10.0.0.0/8', '--label', 'ci', '--expires', '1h');
    done('a change', 'user', 'suspend', $BOB, '--reason', 'left');

    endure('the way to Redis', ['user', 'list'], way => 1,
           tries => 3 * $TRIES);
    endure("@$_", $_) for ['user', 'list', '--json'],
        ['user', 'show', $BOB], ['user', 'show', $BOB, '--json'],
        ['key', 'list', $BOB], ['key', 'list', $BOB, '--json'],
        ['log'], ['log', '--json'];

    fresh();
    done('for doctor', 'user', 'create', '--user-name', 'carol');
    done('a change of hers', 'user', 'suspend', 'name:carol');

    # the clock is never the same
    endure('doctor', ['doctor'], on => 1,
           right => qr/^records .* 0 faults\n\z/m);
    endure('doctor --json', ['doctor', '--json'],
           right => qr/\A\{\n.*"fault_lines": \[\]\n\}\n\z/s);
};


subtest 'what changes' => sub {
    my $keys = sub { scalar @{ redis('KEYS', '{pu}:handle:key:*') } };

    endure('key create', ['key', 'create', $ID], before => \&fresh,
           right => qr/\Apuk_[^\n]{20,}\n\z/, after => sub {
        my ($code) = @_;
        my ($key, $of) = ($keys->(),
                          redis('SCARD', "{pu}:handles:$ID") - 1);
        my $log = redis('XLEN', '{pu}:log');

        return "key $key, of the user $of, log $log"
            if $key != $of || $key != $log;
        return 'no key' if $code eq '0' && $key != 1;
        return undef;
    });

    for my $op (['suspend', 'suspended'], ['delete', 'deleted']) {
        my ($verb, $state) = @$op;
        endure("user $verb", ['user', $verb, $ID, '--json'],
               before => \&fresh, right => qr/\A\{\n.*"changed": true.*\}\n\z/s,
               after => sub {
            my ($code) = @_;
            my $made = user('version') == 2;

            return 'not done' if $code eq '0' && !$made;
            return 'half' if $made != (user('state') eq $state
                && redis('XLEN', '{pu}:log') == 1);
            return undef;
        });
    }

    endure('cert add', ['cert', 'add', $ID, $PEM], before => \&fresh,
           tries => 4 * $TRIES, right => qr/stands for the user now/,
           after => sub {
        return $_[0] eq '0' && !@{ redis('KEYS', '{pu}:handle:cert:*') }
            ? 'not there' : undef;
    });
};


# Here OpenSSL starts: each of its versions has other places where it ends the
# program; whoever is not ended says what he lacks.
subtest 'before the first word to Redis' => sub {
    fresh();

    my %fault;

    for my $at (map { 60 + 499 * $_ } 0 .. int($own / 499) - 1) {
        my @got = starved($at, 0, 'user', 'list');
        next if $got[0] eq 'signal 11';
        my $fault = fault(qr/\AID .*alice.*\n\z/s, @got);
        push @{ $fault{$fault} }, $at if defined $fault;
    }

    is(join("\n", map { "$_ at @{ $fault{$_} }" } sort keys %fault), '',
       'done or said');
};


done_testing();
